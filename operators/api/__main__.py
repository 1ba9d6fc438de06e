"""``python -m operators.api [DIR]`` writes the CustomResourceDefinitions."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from operators.api.crds import definitions


class _Plain(yaml.SafeDumper):
    """No anchors: kubectl readers should see every schema where it stands."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the dumper's signature
        return True


def render(definition: dict[str, object]) -> str:
    """One definition as YAML, always the same for the same models."""
    return yaml.dump(definition, Dumper=_Plain, sort_keys=False, width=120, allow_unicode=True)


def main(folder: str = "crds") -> None:
    """Write all definitions into a folder."""
    target = Path(folder)
    target.mkdir(exist_ok=True)
    for name, definition in definitions().items():
        (target / name).write_text(render(definition), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:2])
