"""The tree of commands. Help and completion load no more than Typer and this."""

from __future__ import annotations

import importlib

import typer

from operators.cli.game import COMMANDS
from operators.cli.game.flags import with_flags


def build(names: tuple[str, ...] = tuple(COMMANDS)) -> typer.Typer:
    """The commands of these names."""
    app = typer.Typer(
        help="See, steer and look ahead: GameDeployments and GameStatefulSets.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def every_command() -> None:
        """See, steer and look ahead: GameDeployments and GameStatefulSets."""

    for name in names:
        module = importlib.import_module(f"operators.cli.game.commands.{COMMANDS[name]}")
        function = getattr(module, name.replace("-", "_"), None) or module.command
        app.command(name, hidden=name == "tree")(with_flags(function))
    return app
