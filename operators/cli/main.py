"""``game-operators``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from operators import logs
from operators.cli import check
from operators.cli.game import COMMANDS, FIRST_WORDS
from operators.flags import InvalidSettings
from operators.manager import settings
from operators.version import Version


def _run(options: argparse.Namespace) -> int:
    chosen = settings.from_arguments(options)
    logs.configure(chosen.log_format, chosen.log_level)
    from operators.manager.kopfrunner import run

    return run(chosen)


def _crds(options: argparse.Namespace) -> int:
    from operators.api.__main__ import main as write

    write(options.folder)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, or print the help without one; 2 when its arguments are wrong.

    Those of ``kubectl game`` hang here, too.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in FIRST_WORDS:
        from operators.cli.game.main import main as game

        return game(given, "game-operators")
    parser = argparse.ArgumentParser(
        prog="game-operators",
        description="Operators for game workloads.",
        epilog=f"Those of kubectl game, with the extra 'cli': {', '.join(COMMANDS)}.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=Version)
    commands = parser.add_subparsers(metavar="COMMAND")
    run = commands.add_parser("run", help="run the controllers", allow_abbrev=False)
    settings.add_arguments(run)
    run.set_defaults(action=_run)
    crds = commands.add_parser("crds", help="write the CustomResourceDefinitions into a folder")
    crds.add_argument("folder", nargs="?", default="crds")
    crds.set_defaults(action=_crds)
    check.add_commands(commands)
    options = parser.parse_args(given)
    if "action" not in options:
        parser.print_help()
        return 0
    try:
        return int(options.action(options))
    except InvalidSettings as error:
        run.print_usage(sys.stderr)
        print(f"game-operators: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
