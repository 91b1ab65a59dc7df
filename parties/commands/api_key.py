"""``vfl api-key``: make, list and revoke keys of the scoring API."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from parties import config as configuration
from parties.commands.lazy import LazyGroup
from parties.commands.output import example, json_option, party_directory, show
from parties.storage import database
from parties.web.api_keys import DEFAULT_RATE, ApiKey, ApiKeys
from vfl.errors import ConfigError

PLACES = {
    "create": "parties.commands.api_key:create",
    "list": "parties.commands.api_key:list_keys",
    "revoke": "parties.commands.api_key:revoke",
}


@click.group("api-key", cls=LazyGroup, places=PLACES)
def api_key() -> None:
    """Make, list and revoke keys of the scoring API."""


@click.command(epilog=example("vfl api-key create bank --name core-banking --model cards"))
@party_directory
@click.option("--name", required=True, help="Who or what the key is for.")
@click.option("models", "--model", multiple=True, help="A model that it may ask for. Repeatable.")
@click.option("--all-models", is_flag=True, help="It may ask for every model, later ones included.")
@click.option("--rate", type=click.IntRange(min=1), default=DEFAULT_RATE, show_default=True,
              help="Requests a second.")  # fmt: skip
@json_option
def create(
    directory: Path, name: str, models: tuple[str, ...], all_models: bool, rate: int, as_json: bool
) -> None:
    """Make a key for the scoring API of DIR and print it, this once."""
    if bool(models) == all_models:
        raise click.UsageError("name the models with --model, or give --all-models")
    key, text = _keys(directory).create(name, None if all_models else list(models), rate)
    show({**msgspec.to_builtins(key), "key": text}, as_json, text)


@click.command("list", epilog=example("vfl api-key list bank"))
@party_directory
@json_option
def list_keys(directory: Path, as_json: bool) -> None:
    """Print the keys of the scoring API of DIR; the keys themselves are not kept."""
    keys = _keys(directory).all()
    show(keys, as_json, "\n".join(map(_line, keys)) or "no keys; make one with `vfl api-key create`")


@click.command(epilog=example("vfl api-key revoke bank 3f0c9a51be27"))
@party_directory
@click.argument("id")
def revoke(directory: Path, id: str) -> None:
    """End the key ID of DIR, within a second and for good; a running server needs no restart."""
    _keys(directory).revoke(id)
    click.echo(f"{id} is revoked")


def _keys(directory: Path) -> ApiKeys:
    config = configuration.load(directory)
    if config.party.role != "label":
        raise ConfigError(f"{config.party.name} is a feature party: it has no scoring API")
    return ApiKeys(database.connect(config))


def _line(key: ApiKey) -> str:
    models = "all models" if key.models is None else ", ".join(key.models)
    state = f"revoked {key.revoked[:10]}" if key.revoked else f"last used {key.used or 'never'}"
    return f"{key.id}  {key.name}: {models}; {key.rate}/s; created {key.created[:10]}; {state}"
