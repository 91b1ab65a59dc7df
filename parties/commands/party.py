"""``vfl party``: make a party directory, add peers, show what peers need to know."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from parties import config as configuration
from parties.commands.lazy import LazyGroup
from parties.commands.output import example, json_option, party_directory, show
from parties.config import Config
from parties.config.settings import PERMISSIONS, Reasons
from parties.keys import identity, tls
from parties.storage import party_directory as directories

PLACES = {
    "add-peer": "parties.commands.party:add_peer",
    "identity": "parties.commands.party:make_identity",
    "expect": "parties.commands.rotate:expect",
    "init": "parties.commands.party:init",
    "rotate-paillier": "parties.commands.rotate:rotate_paillier",
    "rotate-tls": "parties.commands.rotate:rotate_tls",
    "serve": "parties.commands.serve:serve",
    "show": "parties.commands.party:show_party",
}


@click.group(cls=LazyGroup, places=PLACES)
def party() -> None:
    """Make, show and serve a party directory."""


@click.command(
    epilog=example(
        "vfl party init bureau --name bureau --role feature --data bureau.csv --key customer_id --dev-ca ca"
    )
)
@party_directory
@click.option("--name", required=True, help="The party's name.")
@click.option("--role", required=True, type=click.Choice(["label", "feature"]), help="What it holds.")
@click.option("--data", required=True, help="A .csv or .parquet file, or a SQLAlchemy URL.")
@click.option("--table", help="Table to read where --data is a URL.")
@click.option(
    "keys",
    "--key",
    metavar="FIELD[=COLUMN]",
    multiple=True,
    default=["customer_id"],
    show_default=True,
    help="Key field, and its column where that has another name. Repeat for a key of several fields.",
)
@click.option("recipe", "--recipe", multiple=True, help="'FIELD: STEP STEP'; default: nfkc strip upper.")
@click.option("--label", help="The label column (label party).")
@click.option("--amount", help="Column of what a missed row loses (label party).")
@click.option("--day", help="Column of the day of a row (label party).")
@click.option("--exclude", multiple=True, help="Column that does not take part. Repeatable.")
@click.option("--on-duplicates", type=click.Choice(["refuse", "keep_first", "drop"]), help="Rows of one key.")
@click.option("--on-empty", type=click.Choice(["refuse", "drop"]), help="Rows without a key.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8443, show_default=True, help="Port to listen on.")
@click.option("--dev-ca", type=click.Path(path_type=Path), help="Development authority: made if need be.")
@json_option
def init(
    *,
    directory: Path,
    name: str,
    role: str,
    data: str,
    keys: tuple[str, ...],
    recipe: tuple[str, ...],
    host: str,
    port: int,
    dev_ca: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Make the party directory DIR: configuration, key and certificate.

    Without --dev-ca a signing request for your certificate authority is left in DIR/tls/request.pem.
    """
    columns = {field: column or field for field, _, column in (key.partition("=") for key in keys)}
    source = data if "://" in data else str(Path(data).resolve())
    section = {"source": source, "keys": columns}
    section["recipe"] = list(recipe) or [f"{field}: nfkc strip upper" for field in columns]
    section |= {
        key: list(value) if isinstance(value, tuple) else value for key, value in options.items() if value
    }
    config = directories.create(
        directory, name=name, role=role, data=section, host=host, port=port, dev_ca=dev_ca
    )
    show(_facts(config), as_json)


@click.command(
    epilog=example("vfl party add-peer bureau bank --fingerprint 3f...9c --identity 2d...53 --allow align"),
)
@party_directory
@click.argument("peer")
@click.option("--fingerprint", required=True, help="What `vfl party show` prints there.")
@click.option("--identity", "public", required=True, help="What it signs contracts with, printed there too.")
@click.option("--url", help="Where a feature party listens, such as https://host:8443.")
@click.option("--allow", multiple=True, type=click.Choice(PERMISSIONS), help="What it may ask. Repeatable.")
@click.option("--show-columns", is_flag=True, help="Tell it the names of our columns.")
@click.option(
    "--reasons",
    type=click.Choice(get_args(Reasons)),
    help="Under which names it may tell what our columns contribute to a score; default: merged.",
)
@click.option("--show-timing", is_flag=True, help="Tell it how long each step of an answer took.")
@json_option
def add_peer(
    *,
    directory: Path,
    peer: str,
    fingerprint: str,
    public: str,
    url: str | None,
    allow: tuple[str, ...],
    show_columns: bool,
    reasons: str | None,
    show_timing: bool,
    as_json: bool,
) -> None:
    """Add PEER to the configuration in DIR; it may ask for nothing that --allow does not name."""
    settings: dict[str, Any] = {"fingerprint": fingerprint, "identity": public}
    settings |= {"url": url} if url else {}
    settings |= {"allow": list(allow)} if allow else {}
    settings |= {"show_columns": True} if show_columns else {}
    settings |= {"reasons": reasons} if reasons else {}
    settings |= {"show_timing": True} if show_timing else {}
    config = directories.add_peer(directory, peer, settings)
    permissions = (
        "" if config.party.role == "label" else f"; what it may ask: {', '.join(allow) or 'nothing'}"
    )
    show(config.peers[peer], as_json, f"{peer} is added{permissions}")


@click.command(epilog=example("vfl party show bureau"))
@party_directory
@json_option
def show_party(directory: Path, as_json: bool) -> None:
    """Print what peers need to know of DIR: name, address, identity and certificate fingerprint."""
    show(_facts(configuration.load(directory)), as_json)


@click.command(epilog=example("vfl party identity bureau"))
@party_directory
@json_option
def make_identity(directory: Path, as_json: bool) -> None:
    """Make the identity of DIR where it has none: a directory of an earlier version, or a lost key.

    `vfl party init` makes one by itself. Peers must be told of a new one.
    """
    config = configuration.load(directory)
    show({"identity": directories.new_identity(config)}, as_json)


def _facts(config: Config) -> dict[str, str]:
    files = tls.files_of(config)
    facts = {"name": config.party.name, "role": config.party.role}
    if config.party.role == "feature":
        facts["url"] = f"https://{config.server.host}:{config.server.port}"
    if identity.file_of(config).exists():
        facts["identity"] = identity.load(config).public
    if files.certificate.exists():
        return facts | {"fingerprint": tls.fingerprint_of_file(files.certificate)}
    return facts | {"signing_request": str(files.key.with_name("request.pem"))}
