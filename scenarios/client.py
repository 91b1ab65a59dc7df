"""A client of a label party's scoring API, as a bank's own programs would be one."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from parties.serving.schemas import Mode

CLIENT_SECONDS = 30.0
"""How long the client waits for an answer: far longer than any budget."""

Keys = dict[str, str]


@dataclass(frozen=True)
class Place:
    """Where the API of a model is, and what a client needs to use it.

    Attributes:
        url: of the server.
        model: name of the model.
        ca: certificate of the authority that signed the server's.
        header: a file with the header that carries the API key, as curl takes it.
    """

    url: str
    model: str
    ca: Path
    header: Path

    @property
    def score(self) -> str:
        """URL that records are sent to."""
        return f"{self.url}/v1/models/{self.model}/score"


class Client:
    """Sends records over one warm HTTPS connection. Use it as a context manager."""

    def __init__(self, place: Place) -> None:
        name, _, value = place.header.read_text().strip().partition(": ")
        self._place = place
        context = httpx.create_ssl_context(verify=str(place.ca))
        self._http = httpx.Client(verify=context, headers={name: value}, timeout=CLIENT_SECONDS)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def card(self) -> dict[str, Any]:
        """Return what the API tells of the model; raises HTTPStatusError."""
        response = self._http.get(f"{self._place.url}/v1/models/{self._place.model}")
        response.raise_for_status()
        card: dict[str, Any] = response.json()
        return card

    def send(self, records: Sequence[Keys], **query: int) -> httpx.Response:
        """Return the answer to one request, whatever its status."""
        body = {"records": [{"keys": keys} for keys in records]}
        return self._http.post(self._place.score, json=body, params=query)

    def score(self, records: Sequence[Keys], **query: int) -> list[dict[str, Any]]:
        """Return the results for the records of one request, in their order.

        Raises:
            HTTPStatusError: the API did not answer with scores.
        """
        response = self.send(records, **query)
        response.raise_for_status()
        results: list[dict[str, Any]] = response.json()["results"]
        return results

    def batches(self, records: Sequence[Keys], size: int) -> Iterator[dict[str, Any]]:
        """Yield the results for any number of records, ``size`` in a request."""
        for first in range(0, len(records), size):
            yield from self.score(records[first : first + size])

    def timed(self, records: Sequence[Keys]) -> tuple[list[dict[str, Any]], list[float]]:
        """Ask for one record after the other; return the results and the milliseconds that each took."""
        self.score(records[:1])  # the connection is made
        results, milliseconds = [], []
        for keys in records:
            started = time.perf_counter()
            results += self.score([keys])
            milliseconds.append(1e3 * (time.perf_counter() - started))
        return results, milliseconds


@dataclass
class Watch:
    """Keeps sending requests from a thread of its own, and notes what comes back.

    Args:
        place: of the API.
        records: each request asks for all of them.
        pause: seconds between an answer and the next request.

    Attributes:
        modes: answers by mode; the mode of an answer is the least of its records'.
        statuses: answers by HTTP status.
        slowest_ms: milliseconds that the slowest answer took.
    """

    place: Place
    records: Sequence[Keys]
    pause: float = 0.02
    modes: Counter[Mode] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    slowest_ms: float = 0.0
    _seen: list[tuple[float, Mode | None]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._ask, name="watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def wait_for(self, joint: bool, since: float, seconds: float) -> float | None:
        """Return the seconds from a moment until a joint answer, or one that is not, came; else None."""
        while time.monotonic() < since + seconds and self._thread.is_alive():
            for at, mode in list(self._seen):
                if at >= since and mode is not None and (mode == "joint") == joint:
                    return at - since
            time.sleep(self.pause)
        return None

    def _ask(self) -> None:
        with Client(self.place) as client:
            while not self._over.wait(self.pause):
                started = time.monotonic()
                response = client.send(self.records)
                self.slowest_ms = max(self.slowest_ms, 1e3 * (time.monotonic() - started))
                self.statuses[response.status_code] += 1
                mode = _least(response.json()["results"]) if response.is_success else None
                self.modes.update([mode] if mode else [])
                self._seen.append((time.monotonic(), mode))


def _least(results: Sequence[dict[str, Any]]) -> Mode | None:
    modes = {result.get("mode") for result in results}
    order: tuple[Mode, ...] = ("bank_only", "partial", "joint")
    return next((mode for mode in order if mode in modes), None)
