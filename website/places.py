"""Where the repository's files stand in the site, and the links between them. Pure.

docs/ is the site as it is. What documents link to outside of it has pages too: README, CONTRIBUTING and CHANGELOG,
one page for each folder of examples, and one for any other file.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

#: Documents at the root, and their pages.
DOCUMENTS: Final = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
EXAMPLES: Final = "examples"
_DOCS: Final = "docs/"
_README: Final = "README.md"
#: Code, in blocks or in a line: links in it are none.
_CODE: Final = re.compile(r"^(?P<indent> *)```.*?^(?P=indent)```[^\n]*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"(\[[^\]]*\]\()([^)\s]+)(\))")
_LANGUAGES: Final = {".py": "python", ".yaml": "yaml", ".go": "go", ".sh": "sh", ".json": "json"}


class Lost(ValueError):
    """A link that leads nowhere in the repository."""


def page_of(path: str) -> str:
    """The source of a file's page in the site, by the file's path in the repository; folders end with a slash."""
    if path in DOCUMENTS:
        return DOCUMENTS[path]
    if path.startswith(_DOCS):
        inside = path.removeprefix(_DOCS)
        return f"{inside}{_README}" if path.endswith("/") else inside
    parts = PurePosixPath(path).parts
    if parts[0] == EXAMPLES:
        return f"{EXAMPLES}/{parts[1]}.md" if len(parts) > 1 else f"{EXAMPLES}/index.md"
    return f"files/{path}" if path.endswith(".md") else f"files/{path}.md"


def anchor(heading: str) -> str:
    """The name of the place of a heading, as the forge makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def rewritten(text: str, at: str, root: Path) -> str:
    """A document with its links as they must be in the site; ``at`` is its path in the repository.

    Raises:
        Lost: a link leads to no file.
    """

    def link(match: re.Match[str]) -> str:
        return f"{match[1]}{_target(match[2], at, root)}{match[3]}"

    return _outside_of_code(text, lambda part: _LINK.sub(link, part))


def targets(text: str, at: str, root: Path) -> Iterator[str]:
    """Files and folders of the repository that a document links to."""
    found: list[str] = []

    def note(match: re.Match[str]) -> str:
        path, _ = _resolved(match[2], at, root)
        found.extend([path] if path else [])
        return match[0]

    _outside_of_code(text, lambda part: _LINK.sub(note, part))
    yield from found


def _outside_of_code(text: str, change: Callable[[str], str]) -> str:
    made, end = [], 0
    for code in _CODE.finditer(text):
        made += [change(text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*made, change(text[end:])])


def _resolved(link: str, at: str, root: Path) -> tuple[str, str]:
    """Path in the repository and anchor of a link; no path for a link within the page, or to another host."""
    if re.match(r"[a-z]+:", link):
        return "", ""
    path, _, place = link.partition("#")
    if not path:
        return "", place
    whole = posixpath.normpath(posixpath.join(posixpath.dirname(at), path))
    if not (root / whole).exists():
        raise Lost(f"{at} links to {link}, which is not there")
    return f"{whole}/" if (root / whole).is_dir() else whole, place


def _target(link: str, at: str, root: Path) -> str:
    path, place = _resolved(link, at, root)
    if not path:
        return link
    parts = PurePosixPath(path).parts
    if parts[0] == EXAMPLES and len(parts) > 2 and parts[-1] != _README:
        place = place or anchor(parts[-1])
    here = posixpath.dirname(page_of(at)) or "."
    return posixpath.relpath(page_of(path), here) + (f"#{place}" if place else "")


def example(folder: str, root: Path) -> str:
    """The page of a folder of examples: its README, and every manifest in it."""
    place = root / EXAMPLES / folder
    readme = place / _README
    head = readme.read_text(encoding="utf-8") if readme.exists() else f"# {folder}\n"
    head = rewritten(head, f"{EXAMPLES}/{folder}/{_README}", root)
    manifests = [f"## {p.name}\n\n{block(p)}" for p in sorted(place.glob("*.yaml"))]
    return "\n".join([head, *manifests])


def examples(root: Path) -> list[str]:
    """Folders of examples that hold manifests or say something of themselves."""
    folders = [p for p in (root / EXAMPLES).iterdir() if p.is_dir()]
    return sorted(p.name for p in folders if list(p.glob("*.yaml")) or (p / _README).exists())


def listing(root: Path) -> str:
    """The page that names all examples."""
    lines = ["# Examples\n"]
    for folder in examples(root):
        names = ", ".join(
            f"[{p.name}]({folder}.md#{anchor(p.name)})" for p in sorted((root / EXAMPLES / folder).glob("*.yaml"))
        )
        lines.append(f"* [{folder}]({folder}.md)" + (f": {names}" if names else ""))
    return "\n".join(lines) + "\n"


def block(path: Path) -> str:
    """A file as a block of code."""
    return f"```{_LANGUAGES.get(path.suffix, '')}\n{path.read_text(encoding='utf-8').rstrip()}\n```\n"


def generated(root: Path) -> dict[str, str]:
    """Every page that is not a file of docs/, by its source in the site.

    Raises:
        Lost: a link leads to no file.
    """
    pages = {DOCUMENTS[name]: rewritten((root / name).read_text(encoding="utf-8"), name, root) for name in DOCUMENTS}
    pages[f"{EXAMPLES}/index.md"] = listing(root)
    pages |= {f"{EXAMPLES}/{folder}.md": example(folder, root) for folder in examples(root)}
    for path in _files(root):
        text = (root / path).read_text(encoding="utf-8")
        whole = rewritten(text, path, root) if path.endswith(".md") else f"# {path}\n\n{block(root / path)}"
        pages[page_of(path)] = whole
    return pages


def _files(root: Path) -> list[str]:
    """Files outside of docs/ that documents link to, and those that these link to."""
    documents = [*DOCUMENTS, *(str(p.relative_to(root)) for p in sorted((root / "docs").rglob("*.md")))]
    documents += [f"{EXAMPLES}/{f}/{_README}" for f in examples(root) if (root / EXAMPLES / f / _README).exists()]
    known, waiting = set(documents), list(documents)
    while waiting:
        at = waiting.pop()
        for path in targets((root / at).read_text(encoding="utf-8"), at, root):
            apart = not path.startswith((_DOCS, f"{EXAMPLES}/")) and path not in known
            if apart and (root / path).is_file():
                known.add(path)
                waiting += [path] if path.endswith(".md") else []
    return sorted(known - set(documents))
