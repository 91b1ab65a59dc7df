"""What a feature party counts, what every party tells of itself, and the loopback server that tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from parties.config import Config
from parties.keys.expiry import expiries
from parties.telemetry.versions import version_of
from vfl.crypto.kernel import kernel_name
from vfl.errors import ConfigError
from vfl.wire.handshake import SPOKEN

SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0)
"""Answers to scoring take milliseconds, those to a level of a tree may take minutes."""


class Own(Collector):
    """What any party tells of itself at the moment of a scrape.

    Args:
        open_jobs: returns how many jobs each peer has open; a label party has none open to it.
    """

    def __init__(self, config: Config, open_jobs: Callable[[], dict[str, int]] | None = None) -> None:
        self._config = config
        self._open_jobs = open_jobs

    def describe(self) -> list[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        facts = {
            "role": self._config.party.role,
            "package": version_of("vfl"),
            "protocols": ",".join(map(str, SPOKEN)),
            "kernel": kernel_name(),
        }
        info = GaugeMetricFamily("vfl_party_info", "What runs here.", labels=list(facts))
        info.add_metric(list(facts.values()), 1.0)
        yield info
        ends = GaugeMetricFamily(
            "vfl_certificate_end_timestamp_seconds", "When a certificate ends.", labels=["certificate"]
        )
        try:
            for expiry in expiries(self._config):
                ends.add_metric([expiry.name], expiry.ends.timestamp())
        except ConfigError:
            ends.add_metric(["unreadable"], 0.0)
        yield ends
        if self._open_jobs is None:
            return
        jobs = GaugeMetricFamily("vfl_open_jobs", "Jobs that a peer has open.", labels=["peer"])
        for peer, count in self._open_jobs().items():
            jobs.add_metric([peer], float(count))
        yield jobs


class PartyMetrics:
    """Counts the messages of a feature party, in a registry of its own.

    Labels are names of configured peers, kinds of messages and codes of errors: nothing of a job's content,
    and no more of them than the configuration and the protocol have.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry(auto_describe=False)
        self._messages = Counter(
            "vfl_messages", "Messages answered.", ["peer", "kind", "outcome"], registry=registry
        )
        self._seconds = Histogram(
            "vfl_message_seconds", "Time to answer a message.", ["kind"], buckets=SECONDS, registry=registry
        )
        self._bytes = Counter(
            "vfl_message_bytes", "Bytes of frames.", ["peer", "direction"], registry=registry
        )
        ProcessCollector(registry=registry)

    def observe(self, peer: str, kind: str, outcome: str, seconds: float, inward: int, outward: int) -> None:
        """Count one message; a kind that was not accepted as a message counts as ``-``."""
        self._messages.labels(peer, kind, outcome).inc()
        self._seconds.labels(kind).observe(seconds)
        self._bytes.labels(peer, "in").inc(inward)
        self._bytes.labels(peer, "out").inc(outward)


def operations(registry: CollectorRegistry) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """Return the WSGI application of the loopback port: ``/metrics`` and ``/healthz``."""

    def app(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        status, kind, body = "404 Not Found", "text/plain; charset=utf-8", b"see /metrics and /healthz\n"
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            if environ["PATH_INFO"] == "/metrics":
                status, kind, body = "200 OK", CONTENT_TYPE_LATEST, generate_latest(registry)
            elif environ["PATH_INFO"] == "/healthz":
                status, body = "200 OK", b"ok\n"
        start(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    return app
