"""Fixtures of parties: institutions with real certificates, files and servers on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from parties.config import Config
from parties.data.rows import Source
from parties.storage.peer_store import PeerStore
from tests.support import institutions
from tests.support.institutions import MakeParty, Pair, Serve
from vfl.algorithms.trees.parts import SplitTable, TreesFeaturePart
from vfl.psi.alignment import Alignment
from vfl.scoring import messages as m
from vfl.wire.contract import Contract


@pytest.fixture
def make_party(tmp_path: Path) -> MakeParty:
    """Makes a party with 200 customers: a label party knows 0 to 199, a feature party 50 to 249."""
    return institutions.maker(tmp_path)


@pytest.fixture(scope="session")
def maker() -> Callable[[Path], MakeParty]:
    """What makes `make_party` for a directory."""
    return institutions.maker


@pytest.fixture(scope="session")
def serving() -> Callable[..., Any]:
    """A context manager that serves a party on a free port and gives its URL."""
    return institutions.serving


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves a party until the test ends, and returns its URL."""
    with ExitStack() as stack:
        yield lambda party: stack.enter_context(institutions.serving(party))


@pytest.fixture
def bank(make_party: MakeParty) -> Config:
    return make_party("bank", "label")


@pytest.fixture(scope="session")
def grant() -> Callable[..., Config]:
    """Lets a feature party allow a label party something; everything by default."""
    return institutions.allow


@pytest.fixture
def bureau(make_party: MakeParty, bank: Config, grant: Callable[..., Config]) -> Config:
    """A feature party that allows the bank everything."""
    return grant(make_party("bureau", "feature"), bank, limits={"min_rows": 50})


@pytest.fixture(scope="session")
def join() -> Callable[..., Config]:
    """Tells a label party where a feature party is, and which certificate it has."""
    return institutions.join


@pytest.fixture
def pair(bank: Config, bureau: Config, join: Callable[..., Config]) -> Pair:
    """A bank and a bureau with a share of model m1, joined by real frames without a network."""
    bank = join(bank, bureau, "https://bureau.test")
    part = TreesFeaturePart(
        columns=["balance", "delays"],
        splits=SplitTable(feature=[0, 1], threshold=[3.5, 0.5], default_left=[True, False]),
    )
    alignment = Alignment.fix("a1", "bank", "left", b"k" * 32, ["C249", "C050", "C100"])
    store = PeerStore(bureau, "bank", Source(bureau))
    store.save_alignment(alignment)
    store.save_part("m1", part)
    return Pair(bank, bureau, m.OpenScoring("m1", "a1", alignment.fingerprint))


@pytest.fixture
def drafted() -> Callable[..., Contract]:
    """Makes a contract between two parties, with some terms changed."""
    return institutions.draft


@pytest.fixture
def signed() -> Callable[..., bytes]:
    """Puts a contract that both parties have signed into a feature party's database; returns its digest."""
    return institutions.sign


@pytest.fixture
def agree() -> Callable[..., bytes]:
    """Proposes a contract over a channel to the bureau, which signs it; returns its digest."""
    return institutions.agree
