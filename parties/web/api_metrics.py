"""Metrics for Prometheus: requests, scores, and the answers of feature parties."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from parties.serving.schemas import Mode, Observation, PeerState
from parties.serving.service import Service

MEDIA_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_WORST_FIRST: tuple[Mode, ...] = ("bank_only", "partial", "joint")


class _CurrentState(Collector):
    """The state at the moment of a scrape."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> list[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        state = GaugeMetricFamily(
            "vfl_partner_state", "1 for the state a feature party is in.", labels=["partner", "state"]
        )
        for peer, current in self._service.ready().partners.items():
            for name in get_args(PeerState):
                state.add_metric([peer, name], float(name == current))
        yield state
        loaded = GaugeMetricFamily("vfl_publication", "Publication that is served.", labels=["model"])
        for model, number in self._service.publications().items():
            loaded.add_metric([model], float(number))
        yield loaded


class Metrics:
    """The metrics of one application, in a registry of its own."""

    def __init__(self, service: Service) -> None:
        self.registry = registry = CollectorRegistry(auto_describe=False)
        self._requests = Counter(
            "vfl_requests", "Requests by route and status.", ["route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "vfl_score_seconds", "Time to score a request, by its worst mode.", ["model", "mode"],
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self._rows = Counter("vfl_rows_scored", "Customers scored.", ["model", "mode"], registry=registry)
        self._answers = Counter(
            "vfl_partner_answers", "Answers of feature parties, by request.", ["partner", "status"],
            registry=registry,
        )  # fmt: skip
        self._peer_seconds = Histogram(
            "vfl_partner_seconds", "Time until a feature party answered or was given up.", ["partner"],
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        registry.register(_CurrentState(service))

    def request(self, route: str, status: int) -> None:
        """Count a request that was answered."""
        self._requests.labels(route, str(status)).inc()

    def observe(self, observation: Observation) -> None:
        """Count a request that was scored."""
        for mode, rows in observation.modes.items():
            self._rows.labels(observation.model, mode).inc(rows)
        worst = next((mode for mode in _WORST_FIRST if observation.modes.get(mode)), None)
        if worst:
            self._seconds.labels(observation.model, worst).observe(observation.seconds)
        for name, peer in observation.peers.items():
            self._answers.labels(name, peer.status).inc()
            self._peer_seconds.labels(name).observe(peer.seconds)

    def expose(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)
