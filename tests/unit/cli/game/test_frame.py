"""What all commands share: names, flags, kubeconfigs, output, writes, start-up."""

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from operators.cli.game import COMMANDS, access, names
from operators.cli.game.exits import CommandError, Exit, UsageError
from operators.cli.game.flags import Flags, seconds
from operators.cli.game.main import main
from operators.cli.game.output import Screen
from operators.cli.game.ownership import owner_of
from operators.cli.game.text import DIM, GOOD, Span, age, cut, line, plain, table
from operators.cli.game.writing import Write
from operators.cli.main import main as game_operators
from operators.kube.credentials import NoCredentials
from operators.kube.errors import Forbidden
from operators.kube.resources import GAME_DEPLOYMENTS, GAME_STATEFUL_SETS

ROOT = Path(__file__).parents[4]

# ---- names


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("arena", None),
        ("gd/arena", GAME_DEPLOYMENTS),
        ("GameDeployment/arena", GAME_DEPLOYMENTS),
        ("gamedeployment.tkex.tencent.com/arena", GAME_DEPLOYMENTS),
        ("gsts/arena", GAME_STATEFUL_SETS),
        ("gamestatefulsets/arena", GAME_STATEFUL_SETS),
    ],
)
def test_names_are_read_in_every_spelling_that_kubectl_prints(text, kind):
    assert names.parse(text) == names.Reference("arena", kind)


@pytest.mark.parametrize("text", ["", "deploy/arena", "gd/", "/arena"])
def test_what_names_no_workload_is_wrong_usage(text):
    with pytest.raises(UsageError):
        names.parse(text)


def test_a_name_of_both_kinds_names_both_and_is_wrong_usage():
    with pytest.raises(UsageError, match="gd/arena and gsts/arena") as told:
        names.choose(names.Reference("arena"), (GAME_DEPLOYMENTS, GAME_STATEFUL_SETS), "eu")
    assert told.value.code == Exit.USAGE


# ---- flags and exit codes


@pytest.mark.parametrize(
    ("text", "value"), [("30", 30), ("30s", 30), ("1m30s", 90), ("2h", 7200), ("500ms", 0.5), ("0", 0)]
)
def test_durations(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "soon", "-3s", "3x", "1m 30s"])
def test_what_is_no_duration_is_wrong_usage(text):
    with pytest.raises(UsageError):
        seconds(text)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_the_shared_flags_under_both_programs(name, capsys):
    for run in (main, game_operators):
        assert run([*name.split(), "--help"]) == 0
        text = capsys.readouterr().out
        for flag in ("-n", "-A", "--context", "--kubeconfig", "--as", "--request-timeout", "-o", "--no-color"):
            assert f"{flag}, " in text or f"{flag} " in text, flag
        assert "--ascii" in text
        assert "--utc" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["get"],
        ["get", "arena", "--no-such-flag"],
        ["get", "arena", "--all", "--pods=new"],
        ["get", "arena", "-w", "-o", "json"],
        ["get", "deploy/arena"],
        ["status", "arena", "--for=done"],
        ["status", "arena", "--timeout=soon"],
        ["diff", "arena", "6"],
        ["list", "-o", "xml"],
    ],
)
def test_wrong_usage_is_code_2_and_says_what_is_wrong(arguments, capsys, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(ROOT / "tests/unit/cli/game/kubeconfig.yaml"))
    assert main(arguments) == Exit.USAGE
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err


def test_no_kubeconfig_is_code_1_and_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["list"]) == Exit.FAILED
    assert "there is no kubeconfig" in capsys.readouterr().err


def test_a_server_that_is_away_is_code_1_and_names_itself(capsys, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(ROOT / "tests/unit/cli/game/kubeconfig.yaml"))
    assert main(["list"]) == Exit.FAILED
    told = capsys.readouterr().err
    assert told.startswith("Error: GET /")
    assert "127.0.0.1:9" in told
    assert "Traceback" not in told


def test_ux_6_help_comes_at_once():
    """0.3 s on an idle machine; the limit allows for one that is busy, and what is loaded is checked besides."""
    times = []
    for _ in range(5):
        began = time.monotonic()
        ran = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "operators.cli.game.main", "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        times.append(time.monotonic() - began)
    assert min(times) < 1.0
    loaded = {row.rpartition("|")[2].strip() for row in ran.stderr.splitlines()}
    heavy = {"aiohttp", "pydantic", "rich", "kubernetes", "yaml", "prometheus_client", "kopf", "operators.kube.client"}
    assert not loaded & heavy


def test_without_the_extra_one_sentence_says_how_to_get_it(tmp_path):
    (tmp_path / "typer.py").write_text("raise ImportError('not here')")
    ran = subprocess.run(
        [sys.executable, "-m", "operators.cli.game.main", "list"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "kubectl game needs the extra 'cli': pipx install 'game-operators[cli]'\n"


# ---- kubeconfigs


def config(path, *, current="", namespace="", user="ada", exec_=False):
    context = {"cluster": "c", "user": user, **({"namespace": namespace} if namespace else {})}
    body = {
        "current-context": current,
        "contexts": [{"name": path.stem, "context": context}],
        "users": [{"name": user, "user": {"exec": {"command": "x"}} if exec_ else {"token": "t"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"https://{path.stem}"}}],
    }
    path.write_text(yaml.safe_dump(body))
    return path


def test_several_kubeconfigs_are_merged_and_the_first_word_counts(tmp_path):
    one = config(tmp_path / "one", namespace="eu")
    two = config(tmp_path / "two", current="one", namespace="us")
    files = access.kubeconfig_files(None, {"KUBECONFIG": f"{one}{os.pathsep}{two}"})
    found = access.merged(files)
    assert [c["name"] for c in found["contexts"]] == ["one", "two"]
    assert [c["cluster"]["server"] for c in found["clusters"]] == ["https://one"]
    assert access.default_namespace(found, None) == "eu"
    assert access.default_namespace(found, "two") == "us"


def test_without_a_namespace_it_is_default(tmp_path):
    assert access.default_namespace(access.merged([config(tmp_path / "a", current="a")]), None) == "default"


@pytest.mark.parametrize("program", [True, False])
def test_the_official_package_is_loaded_only_where_a_program_proves_the_user(tmp_path, program):
    found = access.merged([config(tmp_path / "a", current="a", exec_=program)])
    assert access.needs_program(found, None) is program


def test_a_kubeconfig_that_cannot_be_read_is_named(tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("{")
    with pytest.raises(NoCredentials, match=str(broken)):
        access.merged([broken])


def test_ux_4_a_refusal_names_verb_resource_and_role():
    said = (
        'gamedeployments.tkex.tencent.com "arena" is forbidden: User "ada" cannot patch resource "gamedeployments" '
        'in API group "tkex.tencent.com" in the namespace "eu"'
    )
    told = access.refusal(Forbidden(403, "Forbidden", said))
    assert "patch on gamedeployments is in the cluster role 'edit', to which the chart adds tkex-edit" in told
    reading = access.refusal(Forbidden(403, "Forbidden", said.replace("patch", "list")))
    assert "cluster role 'view', to which the chart adds tkex-view" in reading
    assert access.refusal(Forbidden(403, "Forbidden", "exceeded quota: pods")) == "exceeded quota: pods"


# ---- output


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("flags", "environment", "stream", "coloured"),
    [
        (Flags(), {}, Terminal, True),
        (Flags(no_color=True), {}, Terminal, False),
        (Flags(), {"NO_COLOR": "1"}, Terminal, False),
        (Flags(), {"TERM": "dumb"}, Terminal, False),
        (Flags(), {}, io.StringIO, False),
    ],
)
def test_ux_3_colours_go_to_terminals_only(flags, environment, stream, coloured, monkeypatch):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    target = stream()
    Screen.of(flags, target).text([line(Span("✔ fine", GOOD), Span(" …", DIM))])
    assert ("\x1b[" in target.getvalue()) is coloured
    assert "✔ fine" in target.getvalue()


def test_ux_3_with_ascii_nothing_else_is_written():
    target = io.StringIO()
    Screen.of(Flags(ascii=True), target).text([line("├─□ a → b … ✔")])
    assert target.getvalue() == "|-o a -> b ... +\n"


@pytest.mark.parametrize(
    ("zone", "flags", "text"),
    [
        ("Asia/Shanghai", Flags(), "until 2026-11-29T22:46:40+08:00"),
        ("Asia/Shanghai", Flags(utc=True), "until 2026-11-29T14:46:40Z"),
        ("UTC", Flags(), "until 2026-11-29T14:46:40Z"),
    ],
)
def test_times_are_in_the_readers_zone_unless_utc_is_wanted(zone, flags, text, monkeypatch):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        target = io.StringIO()
        Screen.of(flags, target).text([line("until 2026-11-29T14:46:40Z")])
    finally:
        monkeypatch.undo()
        time.tzset()
    assert target.getvalue() == f"{text}\n"


def test_a_terminal_without_colours_still_redraws():
    target = Terminal()
    with Screen.of(Flags(no_color=True), target).redrawn() as draw:
        draw([line(Span("one", GOOD))])
        draw([line(Span("two", GOOD))])
    assert "\x1b[32m" not in target.getvalue()
    assert "\x1b[?25h" in target.getvalue()


def test_piped_pictures_say_nothing_while_only_time_passes():
    target = io.StringIO()
    with Screen.of(Flags(), target).redrawn() as draw:
        draw([line("├─□ a   ◌ grace, 18 s left   59s  node"), line("└─□ b   ◷ asked for 9m59s   2h59m  node")])
        draw([line("├─□ a   ◌ grace, 7 s left   2m  node"), line("└─□ b   ◷ asked for 10m   3h  node")])
        draw([line("├─□ a   ⟳ restarting   2m  node"), line("└─□ b   ◷ asked for 10m   3h  node")])
    assert [text.split()[1:3] for text in target.getvalue().splitlines()] == [
        ["a", "◌"],
        ["b", "◷"],
        ["a", "⟳"],
    ]


def test_ux_10_a_long_watch_keeps_no_bodies_of_what_is_gone():
    from operators.cli.game.kinds import KINDS
    from operators.cli.game.live import Live
    from operators.kube.resources import HOOK_RUNS
    from operators.planning.views import hookrun_view
    from operators.runtime.store import Change

    live = Live(access.Access(None, "eu", Flags()), "eu", tuple(KINDS.values()))
    (source,) = (s for s in live._sources if s.resource is HOOK_RUNS)
    forget = live._forget(HOOK_RUNS)
    for number in range(1000):
        run = {"metadata": {"namespace": "eu", "name": f"run-{number}", "uid": "u", "resourceVersion": str(number)}}
        source.decode(run)
        forget(Change(hookrun_view(run), None))
    assert live._bodies[HOOK_RUNS.plural] == {}


def test_piped_pictures_write_each_new_line_once():
    target = io.StringIO()
    with Screen.of(Flags(), target).redrawn() as draw:
        draw([line("head"), line("pod a ready")])
        draw([line("head"), line("pod a restarting")])
        draw([line("head"), line("pod a ready")])
    assert target.getvalue().splitlines() == ["head", "pod a ready", "pod a restarting", "pod a ready"]


@pytest.mark.parametrize(
    ("given", "text"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (155, "2m35s"), (840, "14m"), (7260, "121m"), (10800, "3h"),
     (11100, "3h5m"), (172800, "2d"), (176400, "2d1h"), (864000, "10d"), (63072000, "2y"), (-5, "0s")],
)  # fmt: skip
def test_ages_are_written_as_kubectl_does(given, text):
    assert age(given) == text


def test_a_table_drops_columns_before_it_is_cut():
    rows = [("arena", "a" * 20, "b" * 30)]
    header = ("NAME", "STATUS", "INFO")
    assert plain(table(header, rows, width=None, drop=("INFO",))).splitlines()[0].split() == list(header)
    assert plain(table(header, rows, width=40, drop=("INFO",))).splitlines()[0].split() == ["NAME", "STATUS"]
    assert [len(one) for one in plain(table(header, rows, width=20, drop=("INFO",))).splitlines()] == [13, 20]


def test_a_line_that_is_cut_ends_in_a_sign():
    assert str(cut(line("abc", Span("defgh", GOOD)), 6)) == "abcde…"


# ---- writes


def body(**metadata):
    return {"metadata": {"namespace": "eu", "name": "arena", "uid": "u-1", "resourceVersion": "7", **metadata}}


def test_ux_5_a_merge_patch_is_guarded_by_version_and_uid():
    change = Write(GAME_DEPLOYMENTS, body(), "spec.paused", "paused", "resume", merge={"spec": {"paused": True}})
    assert change.patch() == {"spec": {"paused": True}, "metadata": {"resourceVersion": "7", "uid": "u-1"}}


def test_ux_5_a_json_patch_is_guarded_by_its_tests_and_the_uid():
    operations = [{"op": "replace", "path": "/spec/replicas", "value": 3}]
    change = Write(GAME_DEPLOYMENTS, body(), "spec.replicas", "scaled", "scale", operations=operations)
    assert change.patch()[0] == {"op": "test", "path": "/metadata/uid", "value": "u-1"}
    assert change.patch()[1:] == operations


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"annotations": {"argocd.argoproj.io/tracking-id": "games:tkex/gd:eu/arena"}}, "argo-cd application games"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "eu"}}, "flux kustomization eu"),
        ({"labels": {"helm.toolkit.fluxcd.io/name": "eu"}}, "flux helm release eu"),
        ({"annotations": {"meta.helm.sh/release-name": "games"}}, "helm release games"),
    ],
)
def test_a_tool_that_owns_the_object_is_named_with_how_long_a_change_lasts(metadata, said):
    owner = owner_of(body(**metadata))
    assert owner.refusal("spec.template").startswith(f"{said} owns spec.template; ")
    assert "add --anyway" in owner.refusal("spec.template")


def test_an_object_of_nobody_else_has_no_owner():
    assert owner_of(body(labels={"app": "game"}, annotations={"note": "x"})) is None


class Recording:
    """A client that answers as a server would."""

    def __init__(self, error=None):
        self.sent, self.error = [], error

    async def merge_patch(self, *where, dry_run):
        self.sent.append((*where, dry_run))
        if self.error:
            raise self.error
        return {"metadata": {}}


async def write(change, client, **options):
    from operators.cli.game.writing import write as do

    target = io.StringIO()
    try:
        await do(access.Access(client, "eu", Flags()), Screen.of(Flags(), target), change, **options)
    finally:
        write.told = target.getvalue()


async def test_a_write_says_what_changed_and_the_way_back():
    client = Recording()
    change = Write(GAME_DEPLOYMENTS, body(), "spec", "paused", "kubectl game resume arena", merge={"spec": {}})
    await write(change, client)
    assert write.told == "gd/arena: paused\n  back: kubectl game resume arena\n"
    assert client.sent[0][-1] is False


@pytest.mark.parametrize(("dry_run", "requests"), [("client", 0), ("server", 1)])
async def test_a_dry_run_says_that_nothing_was_written(dry_run, requests):
    client = Recording()
    change = Write(GAME_DEPLOYMENTS, body(), "spec", "paused", "resume", merge={"spec": {"a": 1}})
    await write(change, client, dry_run=dry_run)
    assert f"(not written: --dry-run={dry_run})" in write.told
    assert len(client.sent) == requests
    assert all(sent[-1] for sent in client.sent)
    if dry_run == "client":
        assert json.loads(write.told.splitlines()[1])["metadata"]["uid"] == "u-1"


async def test_what_a_tool_owns_is_written_only_anyway_or_where_it_is_a_command():
    owned = body(labels={"kustomize.toolkit.fluxcd.io/name": "eu"})
    client = Recording()
    with pytest.raises(CommandError, match="flux kustomization eu owns spec"):
        await write(Write(GAME_DEPLOYMENTS, owned, "spec", "x", "y", merge={}), client)
    assert client.sent == []
    await write(Write(GAME_DEPLOYMENTS, owned, "spec", "x", "y", merge={}), client, anyway=True)
    await write(Write(GAME_DEPLOYMENTS, owned, "annotation", "x", "y", merge={}, exempt=True), client)
    assert len(client.sent) == 2
