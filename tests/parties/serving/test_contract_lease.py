"""The contract of a service: proposed once for all lanes, followed by the next before it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from parties.contracts import contract_store as kept_contracts
from parties.contracts.client import ContractClient, SignedContract
from parties.contracts.contract_store import REJECTED, ContractStore
from parties.feature.dispatcher import Dispatcher
from parties.serving import contract_lease as standing_module
from parties.serving.contract_lease import ContractLease
from parties.storage import database
from vfl.errors import NotAllowed, PeerRefused, PeerUnreachable

DAY = 86_400


class Reach:
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
def obtain(pair: Any) -> Reach:
    return Reach(pair.agreements)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Puts the clocks of both parties so many days ahead."""
    real = kept_contracts.seconds_now
    monkeypatch.setattr(standing_module, "RENEW_SECONDS", 0.0)

    def ahead(days: float) -> None:
        for module in ("contracts.kept", "contracts.notary", "contracts.agreement", "serving.standing"):
            monkeypatch.setattr(f"parties.{module}.seconds_now", lambda: real() + days * DAY)

    return ahead


def at_once(standing: ContractLease, reach: Reach, lanes: int) -> list[Any]:
    """Have many lanes come while one proposal is under way; return what each gets, or its error."""
    reach.free.clear()

    def one() -> Any:
        try:
            return standing.current()
        except Exception as error:
            return error

    with ThreadPoolExecutor(lanes) as pool:
        asked = [pool.submit(one) for _ in range(lanes)]
        time.sleep(0.05)
        reach.free.set()
        return [each.result(10) for each in asked]


def test_lanes_share_one_proposal(reach: Reach) -> None:
    """Sixteen at once propose one contract, and so do all that come later."""
    standing = ContractLease(reach)
    found = at_once(standing, reach, 16)
    assert len(set(found)) == 1
    assert standing.current() == found[0]
    assert reach.count == 1


def test_lanes_share_a_failure(reach: Reach) -> None:
    """A peer that is gone is waited for once, not by one lane after the other; then it is tried anew."""
    standing = ContractLease(reach)
    reach.error = PeerUnreachable("gone")
    assert at_once(standing, reach, 16) == [reach.error] * 16
    assert reach.count == 1
    reach.error = None
    assert len(standing.current()) == 32


def test_a_contract_is_followed_by_the_next_before_it_ends(reach: Reach, clock: Any) -> None:
    """In the last tenth of its time the next one is signed, and the first holds to its end."""
    standing = ContractLease(reach)
    first = standing.current()
    clock(26)
    standing.renew()
    assert (standing.current(), reach.count) == (first, 1)
    clock(28)
    standing.renew()
    second = standing.current()
    assert (second != first, reach.count) == (True, 2)
    standing.renew()
    assert reach.count == 2


def test_without_a_renewal_the_contract_holds_to_its_end(reach: Reach, clock: Any) -> None:
    """What cannot be renewed now is used up; after its end there is another one, or an error."""
    standing = ContractLease(reach)
    first = standing.current()
    clock(28)
    reach.error = PeerUnreachable("gone")
    standing.renew()
    assert standing.current() == first
    clock(31)
    with pytest.raises(PeerUnreachable):
        standing.current()
    reach.error = None
    assert standing.current() != first


def test_while_people_decide_on_the_next_the_last_one_holds(
    reach: Reach, clock: Any, pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that starts then has a contract too; once people have approved, it is the next one."""
    first = ContractLease(reach).current()
    peer = msgspec.structs.replace(pair.bureau.peers["bank"], approvals=1)
    strict = msgspec.structs.replace(pair.bureau, peers={"bank": peer})
    pair.door = Dispatcher(strict, database.connect(strict), pair.bureau_ledger)
    clock(28)
    standing = ContractLease(reach)
    assert standing.current() == first
    at_bureau = ContractStore(database.connect(strict))
    waiting = [kept.digest for kept in at_bureau.all() if kept.state == "waiting"]
    assert len(waiting) == 1
    standing.renew()
    assert standing.current() == first
    at_bureau.decide(waiting[0], "alice", "approved", b"")
    standing.renew()
    assert standing.current() == waiting[0]


def test_what_people_reject_a_service_does_not_propose_again(reach: Reach, pair: Any) -> None:
    """Their no stands until somebody runs a command at the label party."""
    standing = ContractLease(reach)
    first = standing.current()
    at_bureau = ContractStore(database.connect(pair.bureau))
    at_bureau.set_state(first, REJECTED)
    standing.refused(first)
    with pytest.raises(PeerRefused, match="rejected this contract"):
        standing.current()
    for _ in range(2):
        with pytest.raises(NotAllowed, match="was refused; `vfl score` or `vfl publish` proposes another"):
            standing.current()
    assert len(at_bureau.all()) == 1
    agreed = reach.agreements.obtain("score", ["bureau"], model="m1", alignment="a1")
    assert standing.current() == agreed.digest != first


def test_a_contract_that_the_peer_has_lost_is_brought_again(reach: Reach, pair: Any) -> None:
    """A peer whose database was restored from before signs the same contract again."""
    standing = ContractLease(reach)
    first = standing.current()
    with database.connect(pair.bureau).begin() as connection:
        for table in (database.contracts, database.signatures):
            connection.execute(table.delete())
    pair.door = Dispatcher(pair.bureau, database.connect(pair.bureau), pair.bureau_ledger)
    standing.refused(first)
    assert (standing.current(), reach.count) == (first, 2)


def test_another_contract_is_not_let_go_of(reach: Reach) -> None:
    """A lane that was refused under the one before does not take the next from the others."""
    standing = ContractLease(reach)
    current = standing.current()
    standing.refused(bytes(32))
    assert (standing.current(), reach.count) == (current, 1)
