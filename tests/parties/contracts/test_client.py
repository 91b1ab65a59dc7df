"""Contracts from the label party's side: used again, followed by another in time, and refused once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from parties.config import Config
from parties.contracts.client import DAY, ContractClient, is_ending, is_in_time
from parties.contracts.contract_store import PROPOSED, REJECTED, SIGNED, ContractStore
from parties.feature.dispatcher import Dispatcher
from parties.ledger.entries import Ledger
from parties.storage import database
from tests.support.clock import MovableClock
from vfl.errors import AwaitingApproval, NotAllowed, PeerRefused
from vfl.wire.channel import LoopbackChannel


class Bank:
    """A bank and the bureau that it proposes to, in one process, with one clock."""

    def __init__(self, pair: Any, **grant: Any) -> None:
        peer = msgspec.structs.replace(pair.bureau.peers["bank"], **grant)
        bureau = msgspec.structs.replace(pair.bureau, peers={"bank": peer})
        engine = database.connect(bureau)
        self.clock = MovableClock()
        dispatcher = Dispatcher(bureau, engine, Ledger(engine), clock=self.clock)
        fingerprint = peer.fingerprint
        channel = LoopbackChannel({"bureau": lambda frame: dispatcher.receive(fingerprint, lambda: frame)[1]})
        self.store = ContractStore(database.connect(pair.bank))
        self.client = ContractClient(pair.bank, channel, database.connect(pair.bank), self.clock)

    def obtain(self, **terms: Any) -> bytes:
        wanted = {"model": "m1", "alignment": "a1"} | terms
        return self.client.obtain("score", ["bureau"], **wanted).digest


def test_the_same_terms_are_one_contract(pair: Any) -> None:
    """Other terms are another one."""
    bank = Bank(pair)
    first = bank.obtain()
    assert bank.obtain() == first
    assert bank.obtain(model="m2") != first
    assert len(bank.store.all()) == 2


def test_a_contract_is_followed_by_another_before_it_ends(pair: Any) -> None:
    """In the last tenth of its time the next one is signed."""
    bank = Bank(pair)
    first = bank.obtain()
    bank.clock.offset = 26 * DAY
    assert bank.obtain() == first
    bank.clock.offset = 28 * DAY
    assert bank.obtain() != first


def test_scoring_continues_while_people_decide_on_the_next_contract(pair: Any) -> None:
    """Under the present one, until it ends."""
    bank = Bank(pair)
    first = bank.obtain()
    strict = Bank(pair, approvals=1)
    strict.clock.offset = 28 * DAY
    assert strict.obtain() == first
    strict.clock.offset = 31 * DAY
    with pytest.raises(AwaitingApproval, match=r"1|vfl contracts approve DIR"):
        strict.obtain()


def test_what_was_refused_is_not_proposed_again_unasked(pair: Any) -> None:
    """A command proposes it again, a service does not."""
    bank = Bank(pair, allow=["align"])
    for _ in range(2):
        with pytest.raises(PeerRefused, match="does not allow you to score"):
            bank.obtain()
    assert {stored.state for stored in bank.store.all()} == {REJECTED}
    with pytest.raises(NotAllowed, match="was refused"):
        bank.obtain(again=False)


def test_all_that_wait_are_named_in_one_error(pair: Any) -> None:
    """People are asked once for everything."""
    bank = Bank(pair, approvals=1)
    terms = [("bureau", {"model": model, "alignment": "a1"}) for model in ("m1", "m2")]
    with pytest.raises(AwaitingApproval) as caught:
        bank.client.obtain_all("score", terms)
    names = [stored.digest.hex()[:12] for stored in bank.store.all()]
    assert all(name in str(caught.value) for name in names)
    assert str(caught.value).count("then run this command again") == 1


def test_the_end_of_a_contract_is_near_in_its_last_tenth(bank: Config, bureau: Config, drafted: Any) -> None:
    """And jobs may run under it until then, while it is signed."""
    contract = drafted(bank, bureau, "align", alignment="a1", created=0, expires=1_000)
    assert not is_ending(contract, 899)
    assert is_ending(contract, 900)
    store = ContractStore(database.connect(bank))
    store.add("bureau", contract, state=PROPOSED)
    (stored,) = store.all()
    assert not is_in_time(stored, 0)
    assert is_in_time(stored._replace(state=SIGNED), 999)
    assert not is_in_time(stored._replace(state=SIGNED), 1_000)
