"""All commands of `mirage`."""

from typing import Annotated

import typer

from mirage.command_line.classify import classify
from mirage.command_line.curves import curve, targets
from mirage.command_line.exits import HELP
from mirage.command_line.fool import fool
from mirage.command_line.forward import serve, train
from mirage.command_line.guard import guarded
from mirage.command_line.ideal import ideal
from mirage.command_line.inside import explain, features
from mirage.command_line.models import models
from mirage.version import __version__

app: typer.Typer = typer.Typer(
    help="See what an image classifier sees: the command line of Mirage.",
    epilog=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (classify, fool, ideal, explain, features, curve, targets, models, serve):
    app.command()(guarded(command))
app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)(guarded(train))


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"mirage {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """See what an image classifier sees: the command line of Mirage."""
