"""``vfl party serve``."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from parties import config as configuration
from parties.app import create_app
from parties.commands.output import example, party_directory
from parties.serve import PartyServer, serve_until_stopped
from vfl.errors import ConfigError


@click.command(epilog=example("vfl party serve bureau"))
@party_directory
def serve(directory: Path) -> None:
    """Serve the feature party in DIR until SIGTERM or Ctrl-C; messages at work are finished first."""
    config = configuration.load(directory)
    name = config.party.name
    if config.party.role != "feature":
        raise ConfigError(f"{name} is a label party: it only connects out and needs no server")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    server = PartyServer(config, create_app(config))
    serve_until_stopped(server, on_ready=lambda url: click.echo(f"{name} listens on {url}"))
