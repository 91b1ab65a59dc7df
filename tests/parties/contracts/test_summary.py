"""A contract in words: its terms, its columns by group, who signed it and where it stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from parties.config import Config
from parties.contracts.contract_store import SIGNED, WAITING, ContractStore, StoredContract
from parties.contracts.summary import describe
from parties.keys import identity
from parties.storage import database

Draft = Callable[..., Any]


@pytest.fixture
def stored(bank: Config, bureau: Config, drafted: Draft) -> StoredContract:
    """A contract to train that waits at the bureau, signed by the bank."""
    store = ContractStore(database.connect(bureau))
    contract = drafted(bank, bureau, "train", alignment="a1", model="m1", created=0, expires=86_400)
    store.add("bank", contract, state=WAITING, columns=["balance", "delays"], needed=1)
    store.sign(contract.digest(), identity.load(bank))
    return store.all()[0]


def test_terms_and_signatures_are_named(bureau: Config, stored: StoredContract) -> None:
    """Names where there are any, a dash where a contract says nothing; times in UTC."""
    summary = describe(stored, bureau, now=1_000)
    assert (summary.state, summary.action, summary.model, summary.binning) == ("waiting", "train", "m1", "-")
    assert summary.parties == "bank, bureau"
    assert summary.signed_by == ["bank"]
    assert (summary.approvals_needed, summary.approved_by) == (1, [])
    assert summary.terms["trees"] == 10
    assert summary.requested == "bureau: all that it offers"
    assert (summary.created, summary.expires) == ("1970-01-01T00:00+00:00", "1970-01-02T00:00+00:00")


def test_columns_are_shown_by_group(bureau: Config, stored: StoredContract) -> None:
    """Columns in no group come first."""
    data = msgspec.structs.replace(bureau.data, groups={"debts": ["balance"], "other": ["x"]})
    grouped = msgspec.structs.replace(bureau, data=data)
    assert describe(stored, bureau, now=0).columns == "balance, delays"
    assert describe(stored, grouped, now=0).columns == "delays, debts (balance)"


def test_a_contract_that_waited_too_long_has_expired(bureau: Config, stored: StoredContract) -> None:
    """One that was signed stays signed: its end is among its terms."""
    assert describe(stored, bureau, now=86_400).state == "expired"
    assert describe(stored._replace(state=SIGNED), bureau, now=86_400).state == "signed"
