"""A load generator for HTTP servers: requests leave when they are due, whatever became of earlier ones.

Latency counts from the moment at which a request was due, so that a server that stalls is charged for
every request that had to wait (Tene, "How NOT to Measure Latency", 2013: coordinated omission).
"""

from __future__ import annotations

import http.client
import itertools
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class Target:
    """Where requests go: a URL, the context that checks its certificate, and headers of every request."""

    url: str
    context: ssl.SSLContext
    headers: Mapping[str, str]

    def connect(self) -> http.client.HTTPSConnection:
        """Return a connection of its own, which is opened with the first request."""
        address = urlsplit(self.url)
        return http.client.HTTPSConnection(
            address.hostname or "", address.port, timeout=ANSWER_SECONDS, context=self.context
        )

    def post(self, connection: http.client.HTTPSConnection, body: bytes) -> tuple[int, bytes]:
        """Send one request over a connection; return its status and body."""
        address = urlsplit(self.url)
        path = address.path + (f"?{address.query}" if address.query else "")
        connection.request("POST", path, body, dict(self.headers))
        answer = connection.getresponse()
        return answer.status, answer.read()


@dataclass(frozen=True)
class Load:
    """What became of the requests.

    Attributes:
        milliseconds: float64 [requests], from when each was due to its last byte.
        statuses: HTTP status of each.
        seconds: from the first due time to the last answer.
    """

    milliseconds: npt.NDArray[np.float64]
    statuses: Sequence[int]
    seconds: float

    def quantile(self, part: float) -> float:
        """The latency in milliseconds that this fraction of the requests kept within."""
        return round(float(np.quantile(self.milliseconds, part)), 2)

    @property
    def failed(self) -> int:
        """Requests that were not answered with 200."""
        return sum(status != 200 for status in self.statuses)


def at_rate(target: Target, bodies: Sequence[bytes], *, rate: float, connections: int) -> Load:
    """Send every body once, ``rate`` a second, over warm connections that are taken as they get free."""
    due = np.arange(len(bodies)) / rate
    return _run(target, bodies, connections, lambda number, began: _sleep_until(began + due[number]), due)


def one_after_another(target: Target, bodies: Sequence[bytes], *, connections: int = 1) -> Load:
    """Send every body once, each connection its next one as soon as it has its answer."""
    return _run(target, bodies, connections, lambda number, began: None, None)


def _run(
    target: Target,
    bodies: Sequence[bytes],
    connections: int,
    wait: Callable[[int, float], None],
    due: npt.NDArray[np.float64] | None,
) -> Load:
    milliseconds, statuses = np.zeros(len(bodies)), [0] * len(bodies)
    numbers = itertools.count()
    lines = [target.connect() for _ in range(connections)]
    for line in lines:  # the handshake is no part of any request
        line.connect()
    began = time.perf_counter()

    def work(line: http.client.HTTPSConnection) -> None:
        while (number := next(numbers)) < len(bodies):
            wait(number, began)
            start = time.perf_counter() if due is None else began + due[number]
            statuses[number], _ = target.post(line, bodies[number])
            milliseconds[number] = 1e3 * (time.perf_counter() - start)

    threads = [threading.Thread(target=work, args=(line,)) for line in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for line in lines:
        line.close()
    return Load(milliseconds, statuses, time.perf_counter() - began)


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.perf_counter()))
