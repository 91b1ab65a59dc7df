"""A bank with a trained model, and two feature parties whose servers can stop, dawdle and talk nonsense."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from parties.config import Config
from parties.config.settings import PERMISSIONS, Serving
from parties.feature.app import create_app
from parties.keys import identity, tls
from parties.label.party import LabelParty
from parties.link.server import PartyServer
from parties.storage import party_directory as directory
from vfl.algorithms.trees.params import TreeParams

PARAMS = TreeParams(n_estimators=8, max_depth=4, max_bin=16, learning_rate=0.5)
CUSTOMERS = 600
QUICK = Serving(budget_ms=400, retry_seconds=0.1, failures=3)


def _free_port() -> int:
    """A port to bind again and again: one that the system picks while binding is not free right after."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class FeatureServer:
    """A feature party's server on one port, with faults: seconds to dawdle, and whether to send garbage."""

    party: Config
    dawdle: float = 0.0
    garbage: bool = False
    port: int = field(default_factory=_free_port)
    _server: PartyServer | None = field(default=None, repr=False)
    _thread: threading.Thread | None = field(default=None, repr=False)

    def start(self) -> None:
        settings = msgspec.structs.replace(self.party.server, port=self.port)
        party = msgspec.structs.replace(self.party, server=settings)
        self._server = PartyServer(party, self._faulty(create_app(party)))
        self._server.expiration_interval = 0.05
        self._server.prepare()
        self._thread = threading.Thread(target=self._server.serve)
        self._thread.start()

    def stop(self) -> None:
        if self._server and self._thread:
            self._server.stop()
            self._thread.join()
            self._server = None

    def _faulty(self, app: Any) -> Callable[..., Any]:
        def answer(environ: Any, start_response: Any) -> Any:
            time.sleep(self.dawdle)
            body = app(environ, start_response)
            return [b"\xc1" * sum(map(len, body))] if self.garbage else body

        return answer


@dataclass
class World:
    """A bank that knows customers 0 to 499, a bureau 100 to 599 and a telco 0 to 399; model m1 is trained."""

    bank: Config
    servers: dict[str, FeatureServer]
    scores: dict[str, float]
    """Score in batch by customer."""

    def healed(self) -> None:
        for server in self.servers.values():
            server.dawdle, server.garbage = 0.0, False


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


@pytest.fixture(scope="session")
def _world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("serving")
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
            servers[name] = FeatureServer(party)
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
        yield World(bank, servers, dict(zip(keys, scored.scores.tolist(), strict=True)))


@pytest.fixture
def world(_world: World) -> Iterator[World]:
    """The world, with all servers up and well."""
    for server in _world.servers.values():
        if server._server is None:
            server.start()
    yield _world
    _world.healed()
