"""The tree of commands. Help and completion load no more than Typer and this."""

from __future__ import annotations

import importlib

import typer

from operators.cli.game import COMMANDS, GROUPS
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

    groups: dict[str, typer.Typer] = {}
    for name in names:
        module = importlib.import_module(f"operators.cli.game.commands.{COMMANDS[name]}")
        function = getattr(module, name.replace("-", "_").replace(" ", "_"), None) or module.command
        first, _, second = name.partition(" ")
        if second and first not in groups:
            groups[first] = typer.Typer(help=GROUPS[first], no_args_is_help=True, rich_markup_mode=None)
            app.add_typer(groups[first], name=first)
        (groups[first] if second else app).command(second or name, hidden=name == "tree")(with_flags(function))
    return app
