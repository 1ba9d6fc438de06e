"""``kubectl-game``, which kubectl runs as ``kubectl game``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from operators.cli.game.exits import CommandError, Exit


def main(arguments: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run one command; the exit code."""
    try:
        import typer  # noqa: F401 - whether it is there
    except ImportError:
        print("kubectl game needs the extra 'cli': pipx install 'game-operators[cli]'", file=sys.stderr)
        return Exit.FAILED
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(given, prog or "kubectl game")
    except CommandError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read has gone: nothing more is said, as of other Unix programs
        return Exit.FAILED


def _run(arguments: list[str], prog: str) -> int:
    if arguments[:1] == ["__complete"]:
        from operators.cli.game.completion import answer

        print(answer(arguments[1:]))
        return Exit.REACHED
    from operators.cli.game.app import build

    try:
        build()(arguments, prog_name=prog)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else Exit.REACHED
    return Exit.REACHED


if __name__ == "__main__":
    sys.exit(main())
