"""Add, list and remove the API keys in a file: python -m app.keys COMMAND.

The service reads the file that MIRAGE_API_KEYS_FILE names, and reads it again within a second after a change.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from app.keys.changes import add_key, remove_key
from app.keys.key_file import BadKeyFile, Role, read_key_file

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
File = Annotated[Path, typer.Option("--file", help="The file of API keys, in TOML.", show_default=False)]
Name = Annotated[
    str,
    typer.Option(
        "--name", help="Name of the key: up to 64 letters, digits and the characters . _ -", show_default=False
    ),
]


@app.command()
def add(
    file: File,
    name: Name,
    role: Annotated[
        Role,
        typer.Option(help="all: every operation. classify: POST /classify, POST /classify/batch and GET /models only."),
    ] = "all",
    per_minute: Annotated[
        int | None, typer.Option(help="Most requests in a minute.", min=1, max=1_000_000, show_default="no limit")
    ] = None,
) -> None:
    """Make a random key, add its hash to the file, and print the key. It can not be shown again.

    A file that does not exist is created, so that only its owner can read it.
    """
    print(add_key(file, name, role, per_minute))
    print(f"This is the key {name!r}. Note it now: {file} has only its hash.", file=sys.stderr)


@app.command("list")
def list_keys(file: File) -> None:
    """Print the name, the role, the quota and the beginning of the SHA-256 of each key."""
    for entry in read_key_file(file):
        quota = "no limit" if entry.per_minute is None else f"{entry.per_minute} per minute"
        print(entry.name, entry.role, quota, entry.sha256[:12].lower(), sep="\t")


@app.command()
def remove(file: File, name: Name) -> None:
    """Remove a key from the file. A running service refuses it within a second."""
    remove_key(file, name)
    print(f"The key {name!r} was removed from {file}.", file=sys.stderr)


def main() -> None:
    """Run the command; an error is printed in one line, with exit code 1."""
    try:
        app()
    except BadKeyFile as error:
        sys.exit(f"mirage: {error}")


if __name__ == "__main__":
    main()
