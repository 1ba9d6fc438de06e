"""What may stand where the cursor is: commands, options, and names from the cluster (``completion``).

Silent whatever happens: a cluster that is away or slow completes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args, get_origin

#: Seconds that the cluster has to answer.
_LIMIT: Final = 1.0
#: kubectl's word for: these and no names of files.
_NO_FILES: Final = ":4"
_SHARED: Final = frozenset({"namespace", "context", "kubeconfig", "user"})
#: What names arguments and options take from the cluster.
_DYNAMIC: Final = {
    "name": "workloads",
    "run": "hookruns",
    "template": "hooktemplates",
    "to": "revisions",
    "revisions": "revisions",
    "pod": "pods",
    "remove": "pods",
    "replace": "pods",
    "images": "containers",
    "container": "containers",
    "containers": "containers",
    "namespace": "namespaces",
}

Candidate = tuple[str, str]


@dataclass
class Line:
    """A command line as far as it is written: the command, what was given, and what the cursor stands in.

    Commands and parameters are those of the click that Typer brings, told apart by what they hold.
    """

    command: Any
    options: dict[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    option: Any = None

    @property
    def commands(self) -> dict[str, Any]:
        """Commands of a group; none where the command is no group."""
        return getattr(self.command, "commands", {})

    def positional(self) -> Any:
        """The argument that comes next, None where none does."""
        known = [p for p in self.command.params if p.param_type_name == "argument"]
        if len(self.arguments) < len(known):
            return known[len(self.arguments)]
        return known[-1] if known and known[-1].nargs == -1 else None


def read(root: Any, words: Sequence[str]) -> Line:
    """The words before the cursor."""
    line = Line(root)
    for word in words:
        if line.option is not None:
            line.options[line.option.name or ""] = word
            line.option = None
        elif word.startswith("-"):
            text, sign, value = word.partition("=")
            found = next((p for p in line.command.params if text in p.opts), None)
            if found is not None and not getattr(found, "is_flag", False):
                if sign:
                    line.options[found.name or ""] = value
                else:
                    line.option = found
        elif word in line.commands:
            line.command = line.commands[word]
        else:
            line.arguments.append(word)
    return line


def candidates(root: Any, words: Sequence[str]) -> list[Candidate]:
    """What may stand in place of the last word, with a few words of help."""
    *before, last = words or [""]
    line = read(root, before)
    found = [*_static(line, last)] or _named(line, last)
    return [(text, said) for text, said in found if text.startswith(last)]


def _static(line: Line, last: str) -> Iterator[Candidate]:
    if line.option is not None:
        yield from ((choice, "") for choice in _choices(line.option))
    elif last.startswith("-"):
        for parameter in line.command.params:
            if parameter.param_type_name == "option" and not parameter.hidden:
                yield parameter.opts[-1], _first(parameter.help)
    else:
        for name, command in line.commands.items():
            if not command.hidden:
                yield name, _first(command.help)


def _choices(parameter: Any) -> Iterator[str]:
    """The words that an option takes, where it takes no others."""
    annotation = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    for part in (annotation, *get_args(annotation)):
        if get_origin(part) is Literal:
            yield from map(str, get_args(part))


def _first(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def _named(line: Line, last: str) -> list[Candidate]:
    parameter = line.option or (None if line.commands else line.positional())
    what = _DYNAMIC.get(parameter.name or "") if parameter is not None else None
    if what is None or last.startswith("-"):
        return []
    workload = next(iter(line.arguments), "")
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            names = asyncio.run(_ask(what, workload, line.options))
    except Exception:  # noqa: BLE001 - there is no place for words
        return []
    if what == "pods" and "," in last:  # several, separated by commas
        head = last.rpartition(",")[0]
        return [(f"{head},{name}", "") for name in names if name not in head.split(",")]
    return [(name, "") for name in names]


async def _ask(what: str, workload: str, options: dict[str, str]) -> list[str]:
    from operators.cli.game.access import access
    from operators.cli.game.flags import Flags

    given: dict[str, Any] = {k: v for k, v in options.items() if k in _SHARED}
    flags = Flags(**given, request_timeout=f"{_LIMIT:g}s")
    async with asyncio.timeout(_LIMIT), access(flags) as connection:
        return await _Names(connection.client, connection.own_namespace).of(what, workload)


@dataclass(frozen=True)
class _Names:
    """Names of objects of one namespace."""

    client: Any
    namespace: str

    async def of(self, what: str, workload: str) -> list[str]:
        """Of a kind; of what belongs to a workload where one is named."""
        from operators.kube import resources as r

        if what == "workloads":
            return await self._workloads()
        plain = {"hookruns": r.HOOK_RUNS, "hooktemplates": r.HOOK_TEMPLATES}
        if what == "pods" and not workload:
            plain["pods"] = r.PODS
        if what in plain:
            return await self._all(plain[what], self.namespace)
        if what == "namespaces":
            return await self._all(r.Resource("", "v1", "namespaces", "Namespace"), None)
        kind, body = await self._workload(workload)
        if what == "containers":
            return [f"{c['name']}=" for c in body["spec"]["template"]["spec"].get("containers") or ()]
        source, owner = (r.PODS if what == "pods" else r.CONTROLLER_REVISIONS), (kind, body["metadata"]["name"])
        listed = (await self.client.list(source, self.namespace))["items"] or ()
        owned = [
            held
            for held in listed
            if owner in [(o["kind"], o["name"]) for o in held["metadata"].get("ownerReferences") or ()]
        ]
        if what == "pods":
            return [held["metadata"]["name"] for held in owned]
        return [str(held["revision"]) for held in sorted(owned, key=lambda b: -int(b["revision"]))]

    async def _all(self, resource: Any, namespace: str | None) -> list[str]:
        page = await self.client.list(resource, namespace, metadata_only=True)
        return [body["metadata"]["name"] for body in page["items"] or ()]

    async def _workloads(self) -> list[str]:
        """Plain names, where these are of one workload, and names with their kinds."""
        from operators.cli.game.names import WORKLOADS, short

        pages = await asyncio.gather(*(self._all(kind, self.namespace) for kind in WORKLOADS))
        known = [(kind.kind, name) for kind, page in zip(WORKLOADS, pages, strict=True) for name in page]
        plain = [name for _, name in known]
        return [*(n for n in plain if plain.count(n) == 1), *(short(kind, name) for kind, name in known)]

    async def _workload(self, text: str) -> tuple[str, Any]:
        """Kind and body of the workload that is named."""
        from operators.cli.game.names import parse
        from operators.kube.errors import NotFound

        reference = parse(text)
        for kind in reference.candidates:
            with contextlib.suppress(NotFound):
                return kind.kind, await self.client.get(kind, self.namespace, reference.name)
        raise LookupError(text)


def answer(words: Sequence[str]) -> str:
    """What kubectl expects of a program that completes a plug-in: a candidate a line, and its directive."""
    from typer.main import get_command

    from operators.cli.game.app import build

    found = candidates(get_command(build()), list(words))
    return "\n".join([*(f"{text}\t{said}" if said else text for text, said in found), _NO_FILES])


_ASK: Final = "__complete"
SCRIPTS: Final = {
    "kubectl": f"""\
#!/bin/sh
# Save as kubectl_complete-game, executable, in a folder of your PATH: kubectl 1.26 and later asks it.
exec kubectl-game {_ASK} "$@"
""",
    "bash": f"""\
# source <(kubectl-game completion bash)
_kubectl_game() {{
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in :*) ;; *) COMPREPLY+=("${{line%%$'\\t'*}}") ;; esac
  done < <(kubectl-game {_ASK} "${{COMP_WORDS[@]:1:COMP_CWORD}}" 2>/dev/null)
  [[ ${{#COMPREPLY[@]}} -eq 1 && ${{COMPREPLY[0]}} == *= ]] && compopt -o nospace 2>/dev/null
}}
complete -F _kubectl_game kubectl-game
""",
    "zsh": f"""\
# source <(kubectl-game completion zsh)
_kubectl_game() {{
  local -a found
  local line
  while IFS= read -r line; do
    case "$line" in :*) ;; *) found+=("${{${{line%%$'\\t'*}}//:/\\\\:}}:${{line#*$'\\t'}}") ;; esac
  done < <(kubectl-game {_ASK} "${{(@)words[2,CURRENT]}}" 2>/dev/null)
  _describe 'kubectl game' found
}}
compdef _kubectl_game kubectl-game
""",
    "fish": f"""\
# kubectl-game completion fish | source
function __kubectl_game
  kubectl-game {_ASK} (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null | string match -v ':*'
end
complete -c kubectl-game -f -a '(__kubectl_game)'
""",
    "powershell": f"""\
# kubectl-game completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName kubectl-game -ScriptBlock {{
  param($word, $line, $cursor)
  $words = @($line.CommandElements | Select-Object -Skip 1 | ForEach-Object {{ $_.ToString() }})
  if ($word -eq '') {{ $words += '' }}
  kubectl-game {_ASK} @words 2>$null | Where-Object {{ $_ -notmatch '^:' }} | ForEach-Object {{
    $text, $said = $_ -split "`t", 2
    [System.Management.Automation.CompletionResult]::new($text, $text, 'ParameterValue', ($said ? $said : $text))
  }}
}}
""",
}
