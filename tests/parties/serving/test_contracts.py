"""A service and its contracts over real HTTPS: people decide, clocks go on, and requests are answered."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from parties.commands.cli import main
from parties.config import Config
from parties.contracts.contract_store import ContractStore
from parties.ledger.entries import Ledger
from parties.serving.publish import publish, withdraw
from parties.serving.service import Service
from parties.serving.timing import Timing
from parties.storage import database
from tests.support.serving_world import record, score_one, until
from vfl.errors import AwaitingApproval


def messages(config: Config) -> Counter[str]:
    """Count the messages that a party has exchanged, by kind."""
    found: Counter[str] = Counter()
    for total in Ledger(database.connect(config)).totals():
        found[total.kind] += total.messages
    return found


def for_purpose(config: Config, purpose: str) -> Config:
    """A bank that has no contract yet for what it wants now."""
    terms = msgspec.structs.replace(config.contract, purpose=purpose)
    return msgspec.structs.replace(config, contract=terms)


@pytest.fixture
def strict(world: Any) -> Iterator[Any]:
    """The telco, whose people have to approve each contract."""
    server = world.servers["telco"]
    before = server.party
    peer = msgspec.structs.replace(before.peers["bank"], approvals=1)
    server.stop()
    server.party = msgspec.structs.replace(before, peers={"bank": peer})
    server.start()
    yield server
    server.stop()
    server.party = before
    server.start()


def jobs(server: Any, verb: str, contract: str) -> None:
    result = CliRunner().invoke(main, ["contracts", verb, str(server.party.directory), contract])
    assert result.exit_code == 0, result.output


def waiting(server: Any) -> list[str]:
    kept = ContractStore(database.connect(server.party)).all()
    return [one.digest.hex() for one in kept if one.state == "waiting"]


def test_all_workers_and_publications_are_under_one_contract_with_each_partner(world: Any) -> None:
    """Eight workers for each of two peers open with one proposal each; a restart of one needs none."""
    serving = msgspec.structs.replace(world.bank.serving, workers=8)
    publish(world.bank, "m1")
    before = messages(world.bank)
    with Service(msgspec.structs.replace(world.bank, serving=serving)) as service:
        opened = messages(world.bank) - before
        assert (opened["OpenScoring"], opened["ProposeContract"]) == (16, 2)
        world.servers["telco"].stop()
        until(lambda: score_one(service, record("c200")).mode == "partial")
        world.servers["telco"].start()
        until(lambda: score_one(service, record("c200")).mode == "joint")
        assert (messages(world.bank) - before)["ProposeContract"] == 2


def test_publishing_tells_at_once_what_waits(world: Any, strict: Any) -> None:
    """Before one customer is scored, and with the contract to approve; then it goes on."""
    bank = for_purpose(world.bank, "publishing")
    before = messages(bank)
    with pytest.raises(AwaitingApproval, match="waits for people at telco") as caught:
        publish(bank, "m1")
    assert not (messages(bank) - before)["OpenScoring"]
    (contract,) = waiting(strict)
    assert f"vfl contracts approve DIR {contract[:12]}" in str(caught.value)
    jobs(strict, "approve", contract)
    publish(bank, "m1")
    withdraw(bank, "m1")
    assert waiting(strict) == []


def test_a_service_whose_contract_waits_says_so_and_goes_on_when_people_approve(
    world: Any, strict: Any
) -> None:
    """Requests are answered without the partner at once; no restart is needed; a later no ends it at once."""
    publish(world.bank, "m1")  # under a contract that is approved
    bank = for_purpose(world.bank, "serving")
    with Service(bank, timing=Timing(warm=0.2)) as service:
        assert service.ready().partners == {"bureau": "answering", "telco": "waiting"}
        result = score_one(service, record("c200"))
        assert (result.mode, result.parties) == ("partial", {"bureau": "answered", "telco": "refused"})
        (contract,) = waiting(strict)
        jobs(strict, "approve", contract)
        until(lambda: service.ready().partners["telco"] == "answering")
        assert score_one(service, record("c200")).score == world.scores["c200"]
        jobs(strict, "reject", contract)
        assert score_one(service, record("c200")).mode == "partial"
        until(lambda: service.ready().partners["telco"] == "refused")
        time.sleep(0.5)  # workers try again
        assert score_one(service, record("c200")).parties["telco"] == "refused"
        assert waiting(strict) == [], "what people refused is not proposed again by a machine"
    with pytest.raises(AwaitingApproval):  # but by a person who runs a command
        publish(bank, "m1")
    jobs(strict, "reject", waiting(strict)[0])


def test_a_contract_is_renewed_under_load(world: Any) -> None:
    """Every request is joint and right while clocks pass the last tenth of the contract, and its end."""
    publish(world.bank, "m1")
    stop = threading.Event()
    found: list[tuple[str, bool, tuple[str, ...]]] = []

    def ask(keys: list[str]) -> None:
        while not stop.is_set():
            for key in keys:
                result = score_one(service, record(key))
                parties = tuple(sorted(set(result.parties.values()) - {"unknown_customer"}))
                found.append((result.mode, result.score == world.scores[key], parties))

    def proposals() -> int:
        return (messages(bank) - before)["ProposeContract"]

    keys = list(world.scores)[100:400]
    # A busy machine may take long to answer: what is judged is that no contract is missing.
    patient = msgspec.structs.replace(world.bank.serving, budget_ms=10_000)
    bank = msgspec.structs.replace(for_purpose(world.bank, "renewal"), serving=patient)
    before = messages(bank)
    timing = Timing(clock=world.clock, renewal=0.0)
    with Service(bank, timing=timing) as service, ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, keys[part::4]) for part in range(4)]
        try:
            for days, contracts in ((28, 2), (31, 2), (58, 3), (61, 3)):
                world.clock.days = days
                until(lambda contracts=contracts: proposals() >= 2 * contracts)  # type: ignore[misc]
                count = len(found)
                until(lambda count=count: len(found) > count + 50)  # type: ignore[misc]
        finally:
            stop.set()
        for asked in asking:
            asked.result()
    assert set(found) == {("joint", True, ("answered",))}
    assert proposals() == 2 * 3, "one at the start, and one for each renewal"
