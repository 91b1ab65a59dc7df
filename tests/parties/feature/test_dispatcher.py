"""A message on its way: every one is answered, observed and in the ledger, also a refusal and a fault."""

from __future__ import annotations

from typing import Any

from parties.feature.dispatcher import Dispatcher
from parties.ledger.entries import Ledger
from parties.storage import database
from tests.support.clock import MovableClock
from vfl.jobs import PROTOCOL
from vfl.wire.codec import Envelope, encode
from vfl.wire.handshake import SPOKEN, Hello, decode_welcome, encode_handshake


class Door:
    """A dispatcher of the bureau, and what it observed."""

    def __init__(self, pair: Any, **options: Any) -> None:
        engine = database.connect(pair.bureau)
        self.seen: list[tuple[Any, ...]] = []
        self.ledger = Ledger(engine)
        observe = lambda *facts: self.seen.append(facts)  # noqa: E731
        self.dispatcher = Dispatcher(pair.bureau, engine, self.ledger, observe, **options)
        self.fingerprint = pair.bureau.peers["bank"].fingerprint

    def receive(self, frame: bytes, fingerprint: str | None = None) -> tuple[int, bytes]:
        return self.dispatcher.receive(fingerprint or self.fingerprint, lambda: frame)


def test_a_hello_is_answered_by_the_clock(pair: Any) -> None:
    """The time in the answer is that of the clock that was passed in."""
    clock = MovableClock()
    clock.offset = 1e6
    door = Door(pair, clock=clock)
    status, answer = door.receive(encode_handshake(Hello(list(SPOKEN), "1")))
    assert status == 200
    assert abs(decode_welcome("bureau", answer).time - clock()) < 60
    assert door.seen[0][:3] == ("bank", "Hello", "ok")


def test_what_cannot_be_read_or_is_nobodys_is_refused_and_recorded(pair: Any) -> None:
    """With an HTTP status, an entry of the ledger and the name of the outcome."""
    door = Door(pair)
    assert door.receive(b"\x04nonsense")[0] == 400
    assert door.receive(b"\x04nonsense", "f" * 64)[0] == 403
    assert [facts[2] for facts in door.seen] == ["malformed", "unknown_peer"]
    assert {total.outcome for total in door.ledger.totals()} == {"malformed", "unknown_peer"}


def test_a_fault_of_ours_is_internal(pair: Any) -> None:
    """The peer gets the code and no detail."""

    def broken(*_: object) -> Any:
        raise KeyError("customer C007")

    door = Door(pair, make_worker=broken)
    contract = pair.agreements.obtain("score", ["bureau"], model="m1", alignment="a1")
    status, answer = door.receive(encode(Envelope("j1", 1, pair.opening, contract.digest)))
    assert status == 500
    assert PROTOCOL.decode_reply(answer).body.code == "internal"
    assert b"C007" not in answer
