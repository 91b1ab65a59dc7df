"""The contract of a service: proposed once for all workers, followed by the next before it ends."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import msgspec
import pytest

from parties.config import Config
from parties.contracts.client import ContractClient, SignedContract
from parties.contracts.contract_store import REJECTED, ContractStore
from parties.feature.dispatcher import Dispatcher
from parties.serving.contract_lease import ContractLease
from parties.serving.timing import Timing
from parties.storage import database
from tests.support.serving_world import MovableClock, until
from vfl.errors import NotAllowed, PeerRefused, PeerUnreachable


class CountingProposer:
    """Has real contracts signed by the bureau, counts how often, and can be slow or fail."""

    def __init__(self, agreements: ContractClient) -> None:
        self.agreements = agreements
        self.error: Exception | None = None
        self.free = threading.Event()
        self.free.set()
        self.count = 0

    def __call__(self) -> SignedContract:
        self.count += 1
        self.free.wait(10)
        if self.error:
            raise self.error
        return self.agreements.obtain("score", ["bureau"], again=False, model="m1", alignment="a1")


@pytest.fixture
def proposer(pair: Any) -> CountingProposer:
    return CountingProposer(pair.agreements)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def pair(pair: Any, clock: MovableClock) -> Any:
    """The two parties, whose contracts are held against a clock that moves."""
    pair.agreements = ContractClient(pair.bank, pair.channel, database.connect(pair.bank), clock)
    pair.door = dispatcher(pair, pair.bureau, clock)
    return pair


def dispatcher(pair: Any, bureau: Config, clock: MovableClock) -> Dispatcher:
    return Dispatcher(bureau, database.connect(bureau), pair.bureau_ledger, clock=clock)


def lease(proposer: CountingProposer, clock: MovableClock) -> ContractLease:
    """A lease that tries a renewal whenever it is asked to."""
    return ContractLease(proposer, Timing(clock=clock, renewal=0.0))


def at_once(contract_lease: ContractLease, proposer: CountingProposer, workers: int) -> list[Any]:
    """Have many workers come while one proposal is under way; return what each gets, or its error."""
    proposer.free.clear()

    def one() -> Any:
        try:
            return contract_lease.current()
        except Exception as error:
            return error

    with ThreadPoolExecutor(workers) as pool:
        asked = [pool.submit(one) for _ in range(workers)]
        time.sleep(0.05)
        proposer.free.set()
        return [each.result(10) for each in asked]


def test_workers_share_one_proposal(proposer: CountingProposer, clock: MovableClock) -> None:
    """Sixteen at once propose one contract, and so do all that come later."""
    contract_lease = lease(proposer, clock)
    found = at_once(contract_lease, proposer, 16)
    assert len(set(found)) == 1
    assert contract_lease.current() == found[0]
    assert proposer.count == 1


def test_workers_share_a_failure(proposer: CountingProposer, clock: MovableClock) -> None:
    """A peer that is gone is waited for once, not by one worker after the other; then it is tried anew."""
    contract_lease = lease(proposer, clock)
    proposer.error = PeerUnreachable("gone")
    assert at_once(contract_lease, proposer, 16) == [proposer.error] * 16
    assert proposer.count == 1
    proposer.error = None
    assert len(contract_lease.current()) == 32


def test_a_contract_is_followed_by_the_next_before_it_ends(
    proposer: CountingProposer, clock: MovableClock
) -> None:
    """In the last tenth of its time the next one is signed, and the first holds to its end."""
    contract_lease = lease(proposer, clock)
    first = contract_lease.current()
    clock.days = 26
    contract_lease.renew()
    assert (contract_lease.current(), proposer.count) == (first, 1)
    clock.days = 28
    contract_lease.renew()
    second = contract_lease.current()
    assert (second != first, proposer.count) == (True, 2)
    contract_lease.renew()
    assert proposer.count == 2


def test_a_contract_that_ends_during_its_renewal_is_renewed_once(
    proposer: CountingProposer, clock: MovableClock
) -> None:
    """Who asks for a contract after the end of the first waits for the renewal that is under way."""
    contract_lease = lease(proposer, clock)
    first = contract_lease.current()
    clock.days = 28
    proposer.free.clear()
    with ThreadPoolExecutor(2) as pool:
        renewal = pool.submit(contract_lease.renew)
        until(lambda: proposer.count == 2)
        clock.days = 31
        second = pool.submit(contract_lease.current)
        assert not wait([second], timeout=0.1).done
        proposer.free.set()
        renewal.result(60)
        assert second.result(60) != first
    assert (contract_lease.current(), proposer.count) == (second.result(), 2)


def test_without_a_renewal_the_contract_holds_to_its_end(
    proposer: CountingProposer, clock: MovableClock
) -> None:
    """What cannot be renewed now is used up; after its end there is another one, or an error."""
    contract_lease = lease(proposer, clock)
    first = contract_lease.current()
    clock.days = 28
    proposer.error = PeerUnreachable("gone")
    contract_lease.renew()
    assert contract_lease.current() == first
    clock.days = 31
    with pytest.raises(PeerUnreachable):
        contract_lease.current()
    proposer.error = None
    assert contract_lease.current() != first


def test_while_people_decide_on_the_next_the_last_one_holds(
    proposer: CountingProposer, clock: MovableClock, pair: Any
) -> None:
    """A service that starts then has a contract too; once people have approved, it is the next one."""
    first = lease(proposer, clock).current()
    peer = msgspec.structs.replace(pair.bureau.peers["bank"], approvals=1)
    strict = msgspec.structs.replace(pair.bureau, peers={"bank": peer})
    pair.door = dispatcher(pair, strict, clock)
    clock.days = 28
    contract_lease = lease(proposer, clock)
    assert contract_lease.current() == first
    at_bureau = ContractStore(database.connect(strict))
    waiting = [kept.digest for kept in at_bureau.all() if kept.state == "waiting"]
    assert len(waiting) == 1
    contract_lease.renew()
    assert contract_lease.current() == first
    at_bureau.decide(waiting[0], "alice", "approved", b"")
    contract_lease.renew()
    assert contract_lease.current() == waiting[0]


def test_what_people_reject_a_service_does_not_propose_again(
    proposer: CountingProposer, clock: MovableClock, pair: Any
) -> None:
    """Their no stands until somebody runs a command at the label party."""
    contract_lease = lease(proposer, clock)
    first = contract_lease.current()
    at_bureau = ContractStore(database.connect(pair.bureau))
    at_bureau.set_state(first, REJECTED)
    contract_lease.drop(first)
    with pytest.raises(PeerRefused, match="rejected this contract"):
        contract_lease.current()
    for _ in range(2):
        with pytest.raises(NotAllowed, match="was refused; `vfl score` or `vfl publish` proposes another"):
            contract_lease.current()
    assert len(at_bureau.all()) == 1
    agreed = proposer.agreements.obtain("score", ["bureau"], model="m1", alignment="a1")
    assert contract_lease.current() == agreed.digest != first


def test_a_contract_that_the_peer_has_lost_is_brought_again(
    proposer: CountingProposer, clock: MovableClock, pair: Any
) -> None:
    """A peer whose database was restored from before signs the same contract again."""
    contract_lease = lease(proposer, clock)
    first = contract_lease.current()
    with database.connect(pair.bureau).begin() as connection:
        for table in (database.contracts, database.signatures):
            connection.execute(table.delete())
    pair.door = dispatcher(pair, pair.bureau, clock)
    contract_lease.drop(first)
    assert (contract_lease.current(), proposer.count) == (first, 2)


def test_another_contract_is_not_let_go_of(proposer: CountingProposer, clock: MovableClock) -> None:
    """A worker that was refused under the one before does not take the next from the others."""
    contract_lease = lease(proposer, clock)
    current = contract_lease.current()
    contract_lease.drop(bytes(32))
    assert (contract_lease.current(), proposer.count) == (current, 1)
