"""``vfl party serve``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from parties import config as configuration
from parties.app import create_app
from parties.commands.output import example, party_directory
from parties.config import Config
from parties.serve import ApiServer, PartyServer, Server, serve_until_stopped
from parties.serving.service import Service
from parties.web.api import create_api

SWITCH_SECONDS = 0.0005
"""How long one thread may keep the interpreter while others wait for it; by default, 5 ms, an answer that is
ready could wait for several others to be computed."""


@click.command(epilog=example("vfl party serve bureau"))
@party_directory
def serve(directory: Path) -> None:
    """Serve the party in DIR until SIGTERM or Ctrl-C; what is at work is finished first.

    A feature party answers messages of label parties, a label party requests to its scoring API.
    """
    config = configuration.load(directory)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    sys.setswitchinterval(SWITCH_SECONDS)
    with _server(config) as server:
        serve_until_stopped(server, lambda url: click.echo(f"{config.party.name} listens on {url}"))


@contextmanager
def _server(config: Config) -> Iterator[Server]:
    if config.party.role == "feature":
        yield PartyServer(config, create_app(config))
        return
    with Service(config) as service:
        yield ApiServer(config, create_api(config, service))
