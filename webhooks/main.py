"""``game-webhooks``: serves the admission webhooks, or prints the manifests that register them."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from operators.flags import InvalidSettings
from operators.kube.credentials import NoCredentials
from operators.kube.wire import read_deep
from operators.logs import configure
from operators.version import Version
from webhooks import manifests, process, settings

_DESCRIPTION = "Admission webhooks for game workloads: deletion protection and validation."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="game-webhooks", description=_DESCRIPTION)
    parser.add_argument("--version", action=Version)
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="serve reviews (also with flags alone)")
    settings.FLAGS.add_to(serving)
    printing = commands.add_parser("manifests", help="print webhook configuration, policies and roles as YAML")
    manifests.FLAGS.add_to(printing)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, or print the help without one; the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    if not given:
        parser.print_help()
        return 0
    if given[0].startswith("-") and given[0] not in ("-h", "--help", "--version"):
        given.insert(0, "serve")
    options = parser.parse_args(given)
    try:
        if options.command == "manifests":
            sys.stdout.write(manifests.text(options))
            return 0
        chosen = settings.from_arguments(options)
    except InvalidSettings as error:
        parser.error(str(error))
    configure(chosen.log_format, chosen.log_level)
    read_deep()
    try:
        return asyncio.run(process.run(chosen))
    except (NoCredentials, OSError) as error:
        sys.stderr.write(f"game-webhooks: {error}{os.linesep}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
