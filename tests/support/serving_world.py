"""A bank with a trained model, and two feature parties whose servers can stop, dawdle and talk nonsense.

All three hold contracts against one clock, which tests move on.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

from parties.config import Config
from parties.config.settings import PERMISSIONS, Serving
from parties.feature.app import create_app
from parties.keys import identity, tls
from parties.label.party import LabelParty
from parties.link.server import PartyServer
from parties.serving.schemas import Scored, ScoreRecord
from parties.serving.service import Service
from parties.storage import party_directory as directory
from vfl.algorithms.trees.params import TreeParams
from vfl.jobs import PROTOCOL
from vfl.wire.codec import encode
from vfl.wire.handshake import is_handshake
from vfl.wire.message import Message, Refusal

PARAMS = TreeParams(n_estimators=8, max_depth=4, max_bin=16, learning_rate=0.5)
CUSTOMERS = 600
QUICK = Serving(budget_ms=400, retry_seconds=0.1, failures=3)
DAY = 86_400


class MovableClock:
    """The time of this machine, so many days ahead."""

    def __init__(self) -> None:
        self.days = 0.0

    def __call__(self) -> float:
        return time.time() + self.days * DAY


def _free_port() -> int:
    """A port to bind again and again: one that the system picks while binding is not free right after."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class FeatureServer:
    """A feature party's server on one port, with faults.

    Attributes:
        dawdle: seconds before each answer.
        garbage: whether answers are no messages.
        lie: takes a reply and returns another one of the same length.
    """

    party: Config
    clock: MovableClock
    dawdle: float = 0.0
    garbage: bool = False
    lie: Callable[[Message], Message] | None = None
    port: int = field(default_factory=_free_port)
    _server: PartyServer | None = field(default=None, repr=False)
    _thread: threading.Thread | None = field(default=None, repr=False)

    def start(self) -> None:
        settings = msgspec.structs.replace(self.party.server, port=self.port)
        party = msgspec.structs.replace(self.party, server=settings)
        self._server = PartyServer(party, self._faulty(create_app(party, clock=self.clock)))
        self._server.expiration_interval = 0.05
        self._server.prepare()
        self._thread = threading.Thread(target=self._server.serve)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        return self._server is not None

    def stop(self) -> None:
        if self._server and self._thread:
            self._server.stop()
            self._thread.join()
            self._server = None

    def _faulty(self, app: Any) -> Callable[..., Any]:
        def answer(environ: Any, start_response: Any) -> Any:
            time.sleep(self.dawdle)
            body = app(environ, start_response)
            if self.garbage:
                return [b"\xc1" * sum(map(len, body))]
            return [_altered(b"".join(body), self.lie)] if self.lie else body

        return answer


@dataclass
class World:
    """A bank that knows customers 0 to 499, a bureau 100 to 599 and a telco 0 to 399; model m1 is trained."""

    bank: Config
    servers: dict[str, FeatureServer]
    scores: dict[str, float]
    """Score in batch by customer."""
    clock: MovableClock

    def recover(self) -> None:
        """Have all servers up and well, and the clocks right."""
        self.clock.days = 0.0
        for server in self.servers.values():
            server.dawdle, server.garbage, server.lie = 0.0, False, None
            if not server.is_running:
                server.start()


def _altered(frame: bytes, lie: Callable[[Message], Message]) -> bytes:
    if is_handshake(frame):
        return frame
    reply = PROTOCOL.decode_reply(frame)
    return frame if isinstance(reply.body, Refusal) else encode(replace(reply, body=lie(reply.body)))


def fingerprint_of(party: Config) -> str:
    return tls.fingerprint_of_file(tls.files_of(party).certificate)


def _customers() -> pd.DataFrame:
    """All columns of all parties; the label hangs on one column of each."""
    rng = np.random.default_rng(7)
    names = ["age", "wage", "debt", "delays", "calls", "roams"]
    table = pd.DataFrame(rng.normal(size=(CUSTOMERS, 6)).round(2), columns=names)
    risk = table["age"] + table["debt"] + table["calls"]
    table["default"] = (risk + rng.normal(size=CUSTOMERS) > 1.0).astype(int)
    table = table.mask(rng.random(table.shape) < np.array([0.1] * 6 + [0.0]))
    table["default"] = table["default"].astype(int)
    table.insert(0, "customer_id", [f"c{n:03d}" for n in range(CUSTOMERS)])
    return table


def _party(root: Path, name: str, role: str, table: pd.DataFrame) -> Config:
    source = root / f"{name}.csv"
    table.to_csv(source, index=False)
    data = {
        "source": str(source),
        "keys": {"customer_id": "customer_id"},
        "recipe": ["customer_id: strip upper"],
        **({"label": "default"} if role == "label" else {}),
    }
    return directory.create(root / name, name=name, role=role, data=data, port=0, dev_ca=root / "ca")


@contextmanager
def serving_world(root: Path) -> Iterator[World]:
    """Make the parties below a directory, serve the two feature parties, align and train."""
    clock = MovableClock()
    table = _customers()
    bank = _party(root, "bank", "label", table.loc[:499, ["customer_id", "age", "wage", "default"]])
    bureau = _party(root, "bureau", "feature", table.loc[100:, ["customer_id", "debt", "delays"]])
    telco = _party(root, "telco", "feature", table.loc[:399, ["customer_id", "calls", "roams"]])
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("VFL_PASSWORD", "test")
        servers = {}
        for party in (bureau, telco):
            grant = {
                "fingerprint": fingerprint_of(bank), "identity": identity.load(bank).public,
                "allow": list(PERMISSIONS), "reasons": "columns",
                "limits": {"max_directions": 2, "min_bin_rows": 20},
            }  # fmt: skip
            party = directory.add_peer(party.directory, "bank", grant)
            name = party.party.name
            servers[name] = FeatureServer(party, clock)
            servers[name].start()
            stack.callback(servers[name].stop)
            peer = {
                "url": f"https://127.0.0.1:{servers[name].port}",
                "fingerprint": fingerprint_of(party),
                "identity": identity.load(party).public,
            }
            bank = directory.add_peer(bank.directory, name, peer)
        bank = msgspec.structs.replace(bank, serving=QUICK)
        with LabelParty(bank) as label:
            label.align()
            label.train(name="m1", params=PARAMS, validation_fraction=0.2)
            scored = label.score("m1", bank.data.source)
        keys = scored.keys["customer_id"]
        yield World(bank, servers, dict(zip(keys, scored.scores.tolist(), strict=True)), clock)


def record(key: str, **features: float | None) -> ScoreRecord:
    """Return a record of a customer by its key, with own features where there are any."""
    return ScoreRecord({"customer_id": key}, features or None)


def score_one(service: Service, record: ScoreRecord, *, model: str = "m1", **options: Any) -> Scored:
    """Return the result of a request for one record, which gets a score."""
    (result,) = service.score(model, [record], **options).results
    assert isinstance(result, Scored)
    return result


def until(holds: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait until something holds that threads bring about."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
