"""``vfl party serve``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import click
from prometheus_client import CollectorRegistry

from parties import config as configuration
from parties.commands.lazy import import_ahead
from parties.commands.output import example, party_directory
from parties.config import Config
from parties.feature.app import create_app
from parties.keys.expiry import Watch
from parties.link.metrics import PartyMetrics, operations
from parties.link.server import ApiServer, OperationsServer, PartyServer, Server, serve_until_stopped
from parties.serving.service import Service
from parties.telemetry import logs
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
    import_ahead("xgboost")
    config = configuration.load(directory)
    logs.configure(config.log)
    sys.setswitchinterval(SWITCH_SECONDS)
    with _server(config) as (server, registry), Watch(config), _operations(config, registry):
        serve_until_stopped(server, lambda url: _tell(config, url))


def _tell(config: Config, url: str) -> None:
    click.echo(f"{config.party.name} listens on {url}")
    logs.event(logging.INFO, "serving", f"{config.party.name} listens on {url}")


@contextmanager
def _server(config: Config) -> Iterator[tuple[Server, CollectorRegistry]]:
    if config.party.role == "feature":
        metrics = PartyMetrics()
        yield PartyServer(config, create_app(config, metrics)), metrics.registry
        return
    with Service(config) as service:
        api = create_api(config, service)
        yield ApiServer(config, api), api.extensions["vfl"].registry


def _operations(config: Config, registry: CollectorRegistry) -> AbstractContextManager[object]:
    if config.metrics.port is None:
        return nullcontext()
    return OperationsServer(config, operations(registry))
