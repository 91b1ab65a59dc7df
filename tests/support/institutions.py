"""Institutions with real certificates, files and servers on this machine."""

from __future__ import annotations

import csv
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parties.config import Config
from parties.config.settings import PERMISSIONS
from parties.contracts.client import ContractClient
from parties.contracts.contract_store import SIGNED, ContractStore
from parties.feature.app import create_app
from parties.feature.dispatcher import Dispatcher
from parties.keys import identity, tls
from parties.ledger.channel import LedgerChannel
from parties.ledger.entries import Ledger
from parties.ledger.heads import SigningChannel
from parties.link.server import PartyServer
from parties.storage import database
from parties.storage import party_directory as directory
from vfl.algorithms.trees.messages import AskDirections, DirectionsGiven
from vfl.scoring import messages as m
from vfl.wire.channel import Channel, LoopbackChannel
from vfl.wire.contract import Action, Contract, Member
from vfl.wire.session import LabelSession

MakeParty = Callable[..., Config]
Serve = Callable[[Config], str]


def fingerprint_of(party: Config) -> str:
    return tls.fingerprint_of_file(tls.files_of(party).certificate)


def maker(root: Path) -> MakeParty:
    """Return what makes parties with 200 customers in a directory.

    A label party knows 0 to 199, a feature party 50 to 249; other settings of ``[data]`` are named.
    """

    def make(name: str, role: str, *, ca: str = "ca", **data: Any) -> Config:
        first, columns = (0, ["age", "default"]) if role == "label" else (50, ["balance", "delays"])
        source = root / f"{name}.csv"
        with source.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["customer_id", *columns])
            writer.writerows([f" c{n:03d}", n % 7, int(n % 3 == 0)] for n in range(first, first + 200))
        settings = {
            "source": str(source),
            "keys": {"customer_id": "customer_id"},
            "recipe": ["customer_id: strip upper"],
            **({"label": "default"} if role == "label" else {}),
            **data,
        }
        return directory.create(root / name, name=name, role=role, data=settings, port=0, dev_ca=root / ca)

    return make


@contextmanager
def serving(party: Config, app: Any = None) -> Iterator[str]:
    """Serve a party on a free port, and give its URL."""
    server = PartyServer(party, app or create_app(party))
    server.expiration_interval = 0.05  # how long the accepting thread sleeps before it sees a stop
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.bind_addr[1]}"
    finally:
        server.stop()
        thread.join()


def allow(feature: Config, label: Config, **peer: Any) -> Config:
    """Let a feature party allow a label party something; everything by default."""
    settings = {
        "fingerprint": fingerprint_of(label),
        "identity": identity.load(label).public,
        "allow": list(PERMISSIONS),
        **peer,
    }
    return directory.add_peer(feature.directory, label.party.name, settings)


def join(label: Config, feature: Config, url: str, fingerprint: str | None = None) -> Config:
    """Tell a label party where a feature party is, and which certificate it has."""
    peer = {
        "url": url,
        "fingerprint": fingerprint or fingerprint_of(feature),
        "identity": identity.load(feature).public,
    }
    return directory.add_peer(label.directory, feature.party.name, peer)


class Pair:
    """Two parties, their ledgers, and the way of a frame from one to the other."""

    def __init__(self, bank: Config, bureau: Config, opening: m.OpenScoring) -> None:
        self.bank, self.bureau, self.opening = bank, bureau, opening
        self.bank_ledger = Ledger(database.connect(bank))
        engine = database.connect(bureau)
        self.bureau_ledger = Ledger(engine)
        self.door = Dispatcher(bureau, engine, self.bureau_ledger)
        self.recorded = LedgerChannel(LoopbackChannel({"bureau": self.receive}), self.bank_ledger)
        self.channel = SigningChannel(self.recorded, self.bank_ledger, bank)
        self.agreements = ContractClient(bank, self.channel, database.connect(bank))

    def receive(self, frame: bytes) -> bytes:
        return self.door.receive(fingerprint_of(self.bank), lambda: frame)[1]

    def score(self, messages: int = 1) -> str:
        """Run a scoring job from opening to closing, and return its name."""
        agreed = self.agreements.obtain(
            "score", ["bureau"], model=self.opening.model, alignment=self.opening.alignment
        )
        session = LabelSession(self.channel, "bureau", contract=agreed.digest)
        session.ask(self.opening, m.ScoringOpened)
        for _ in range(messages):
            session.ask(AskDirections(bytes(8)), DirectionsGiven)
        session.ask(m.CloseScoring(), m.ScoringClosed)
        return session.job


def draft(bank: Config, bureau: Config, action: str, **terms: Any) -> Contract:
    """A contract between two parties as a label party would propose it, with some terms changed."""
    now = int(time.time())
    usual: dict[str, Any] = {
        "nonce": secrets.token_bytes(16),
        "purpose": "fraud",
        "label_party": Member("bank", bytes.fromhex(identity.load(bank).public)),
        "feature_parties": [Member("bureau", bytes.fromhex(identity.load(bureau).public))],
        "rows": 200,
        "rows_per_hour": 1_000,
        "terms": {"trees": 10, "max_depth": 5, "node_rows": 20, "histogram_rows": 5},
        "key_bits": 2048,
        "created": now,
        "expires": now + 3_600,
        **({"algorithm": "trees"} if action == "train" else {}),
    }
    return Contract(action=action, **(usual | terms))  # type: ignore[arg-type]


def sign(bank: Config, bureau: Config, action: str, columns: Sequence[str] = (), **terms: Any) -> bytes:
    """Put a contract that both parties have signed into a feature party's database; return its digest."""
    contracts, contract = ContractStore(database.connect(bureau)), draft(bank, bureau, action, **terms)
    contracts.add("bank", contract, state=SIGNED, columns=columns)
    contracts.sign(contract.digest(), identity.load(bank))
    contracts.sign(contract.digest(), identity.load(bureau))
    return contract.digest()


def agree(channel: Channel, action: Action, **terms: Any) -> bytes:
    """Propose a contract over a channel to the bureau, which signs it; return its digest."""
    config = channel._config  # type: ignore[attr-defined]
    client = ContractClient(config, channel, database.connect(config))
    return client.obtain(action, ["bureau"], **terms).digest
