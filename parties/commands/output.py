"""What all commands share: the party directory, ``--json``, and how results are printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from parties import config as configuration
from parties.config import Config
from parties.keys import expiry
from parties.telemetry import logs

_Command = TypeVar("_Command", bound=Callable[..., Any])


def party_directory(command: _Command) -> _Command:
    """Add the argument DIR, a party directory."""
    return click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))(
        command
    )


def json_option(command: _Command) -> _Command:
    """Add ``--json``."""
    return click.option("as_json", "--json", is_flag=True, help="Print the result as JSON.")(command)


def load_client_config(directory: Path) -> Config:
    """Return the configuration of a party that is about to ask its peers, with logs and warnings set up.

    Raises:
        ConfigError: from the configuration.
    """
    config = configuration.load(directory)
    logs.configure(config.log, quiet=True)
    expiry.warn(config)
    return config


def show(result: Any, as_json: bool, text: str | None = None) -> None:
    """Print a result: as JSON, as the given text, or as one line for each of its fields."""
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(result), indent=2))
        return
    fields = msgspec.to_builtins(result)
    click.echo(text if text is not None else "\n".join(f"{key:24} {_plain(fields[key])}" for key in fields))


def example(text: str) -> str:
    """Return the end of a command's help: an example as it is typed."""
    return f"Example:\n\n  {text}"


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(inner)}" for key, inner in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "-"
    return str(value)
