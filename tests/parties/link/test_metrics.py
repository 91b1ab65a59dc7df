"""Metrics of a feature party: told on this machine alone, and nothing in them but names and counts."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from parties import config as configuration
from parties.config import Config
from parties.feature.app import create_app
from parties.link.metrics import PartyMetrics, operations
from parties.link.server import OperationsServer
from parties.link.transport import HttpsChannel
from vfl.errors import ConfigError
from vfl.psi import messages as m
from vfl.wire.session import LabelSession


def fetch(server: Any, path: str) -> str:
    url = "http://{}:{}{}".format(*server.bind_addr[:2], path)
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def test_a_feature_party_counts_what_it_answers(
    bank: Config, bureau: Config, join: Any, serving: Any, signed: Any
) -> None:
    """Messages, bytes, open jobs and ends of certificates reach Prometheus over the loopback port."""
    metrics = PartyMetrics()
    app = create_app(bureau, metrics)
    with (
        OperationsServer(bureau, operations(metrics.registry)) as server,
        serving(bureau, app) as url,
        HttpsChannel(join(bank, bureau, url)) as channel,
    ):
        opening = m.OpenAlignment("a1", "left", ["customer_id: strip upper"], 200)
        contract = signed(bank, bureau, "align", alignment="a1")
        LabelSession(channel, "bureau", contract=contract).ask(opening, m.AlignmentOpened)
        channel.exchange("bureau", b"\x04odd")
        found = {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in parse(fetch(server, "/metrics"))
            for sample in family.samples
        }
        assert fetch(server, "/healthz") == "ok\n"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            fetch(server, "/v1/messages")
    assert found["vfl_messages_total", "OpenAlignment", "bank", "ok"] == 1
    assert found["vfl_messages_total", "-", "bank", "malformed"] == 1
    assert found["vfl_message_seconds_count", "OpenAlignment"] == 1
    assert found["vfl_message_bytes_total", "bank", "in"] == channel.traffic()["bureau"].sent
    assert found["vfl_message_bytes_total", "bank", "out"] == channel.traffic()["bureau"].received
    assert found["vfl_open_jobs", "bank"] == 1
    assert found["vfl_certificate_end_timestamp_seconds", "certificate"] > 1e9


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "metrics.example"])
def test_metrics_stay_on_the_machine(bureau: Config, host: str) -> None:
    """An address that others reach is refused: the port asks nobody who they are."""
    with (bureau.directory / "party.toml").open("a") as file:
        file.write(f'\n[metrics]\nhost = "{host}"\nport = 9100\n')
    with pytest.raises(ConfigError, match=r"metrics.host: .* this machine alone"):
        configuration.load(bureau.directory)


def test_an_address_in_use_is_told_with_its_section(bureau: Config) -> None:
    """Two servers on one port: the second says which section to correct."""
    app = operations(PartyMetrics().registry)
    with OperationsServer(bureau, app) as first:
        with (bureau.directory / "party.toml").open("a") as file:
            file.write(f"\n[metrics]\nport = {first.bind_addr[1]}\n")
        again = configuration.load(bureau.directory)
        with pytest.raises(ConfigError, match=r"correct \[metrics\]"), OperationsServer(again, app):
            pass
