"""The options that all commands share: where the service is, the key, the model, and the form of the output."""

import sys
from typing import Annotated, TypeAlias

import typer

from mirage.client import Mirage

Url: TypeAlias = Annotated[
    str | None,
    typer.Option(
        envvar="MIRAGE_URL",
        show_envvar=True,
        help="Address of the service, such as http://127.0.0.1:8000, which is the default, or unix:/PATH.",
    ),
]
Key: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        envvar="MIRAGE_API_KEY",
        show_envvar=True,
        help="API key, where the service has keys. The variable is safer: other users can see options.",
    ),
]
Model: TypeAlias = Annotated[
    str | None, typer.Option(help="Name of a served model; `mirage models` lists them. Without it the default model.")
]
Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Write the figures as JSON, as if the output were not a terminal.")
]


def connect(url: str | None, key: str | None) -> Mirage:
    """The client for the service that the options name."""
    return Mirage(url, api_key=key)


def for_people(as_json: bool) -> bool:
    """Whether results are written for people: on a terminal, unless JSON was asked for."""
    return not as_json and sys.stdout.isatty()
