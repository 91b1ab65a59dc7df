"""Jobs: their places are few, given back, and outlive no restart."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from parties.config import Config
from parties.config.settings import Limits, Peer
from parties.contracts.verifier import ContractVerifier
from parties.data.rows import Source
from parties.feature.jobs import IDLE_SECONDS, SPARE_SECONDS, Jobs
from parties.storage import database
from vfl.errors import Interrupted, NotAllowed, OutOfSequence, Replayed
from vfl.psi.messages import AlignmentOpened, FetchPoints, OpenAlignment
from vfl.scoring import messages as m
from vfl.wire.codec import Envelope
from vfl.wire.message import Message

PEER = Peer(fingerprint="a" * 64, allow=["align", "export"], limits=Limits(open_jobs=1))


def answer_all(message: Message) -> Message:
    return m.PartGiven(b"") if isinstance(message, m.AskPart) else AlignmentOpened(1)


class Bureau:
    """The jobs of a bureau that has signed two contracts with the bank."""

    def __init__(self, bank: Config, bureau: Config, signed: Callable[..., bytes]) -> None:
        self.config, self.engine = bureau, database.connect(bureau)
        self.align = {name: signed(bank, bureau, "align", alignment=name) for name in ("a1", "a2")}
        self.export = signed(bank, bureau, "export", model="m1")
        self.seconds = 0.0

    def jobs(self) -> Jobs:
        verifier = ContractVerifier(self.config, self.engine, Source(self.config))
        return Jobs(self.engine, verifier, monotonic=lambda: self.seconds)

    def ask(self, held: Jobs, job: str, body: Message, sequence: int = 1) -> Message:
        return held.answer("bank", PEER, self.envelope(job, body, sequence), lambda _: answer_all).body

    def envelope(self, job: str, body: Message, sequence: int = 1) -> Envelope[Message]:
        aligning = self.align[getattr(body, "alignment", "a1")]
        return Envelope(job, sequence, body, self.export if isinstance(body, m.AskPart) else aligning)


@pytest.fixture
def party(bank: Config, bureau: Config, signed: Callable[..., bytes]) -> Bureau:
    return Bureau(bank, bureau, signed)


ALIGN, OTHER = (OpenAlignment(name, "left", ["id:"], 1) for name in ("a1", "a2"))


def test_an_ended_job_gives_its_place_back(party: Bureau) -> None:
    """A job of one message is over with it, so a peer with one place can open the next."""
    held = party.jobs()
    for job in ("j1", "j2", "j3"):
        assert isinstance(party.ask(held, job, m.AskPart("m1")), m.PartGiven)
    assert isinstance(party.ask(held, "j1", m.AskPart("m1")), m.PartGiven)  # its answer may have been lost
    with pytest.raises(Replayed):
        party.ask(held, "j1", m.AskPart("m2"))
    with pytest.raises(OutOfSequence, match="while the job is closed"):
        party.ask(held, "j1", m.AskPart("m1"), 2)


@pytest.mark.parametrize("seconds", [IDLE_SECONDS, SPARE_SECONDS])
def test_an_idle_job_gives_way(party: Bureau, seconds: float) -> None:
    """A job left alone for long does not lock its peer out; one in use does hold its place."""
    held = party.jobs()
    party.ask(held, "j1", ALIGN)
    party.seconds += min(seconds, SPARE_SECONDS) - 1
    with pytest.raises(NotAllowed, match="1 jobs open here"):
        party.ask(held, "j2", OTHER)
    party.seconds += seconds + 1
    party.ask(held, "j2", OTHER)
    with pytest.raises(Interrupted, match="let go of the job"):
        party.ask(held, "j1", FetchPoints(0, 1), 2)


def test_a_job_begun_anew_takes_the_place_of_the_first(party: Bureau) -> None:
    """A label party that died and aligns again under the name needs one place: the first job is over."""
    held = party.jobs()
    party.ask(held, "j1", ALIGN)
    party.ask(held, "j2", ALIGN)
    with pytest.raises(Interrupted):
        party.ask(held, "j1", FetchPoints(0, 1), 2)
    party.ask(held, "j2", FetchPoints(0, 1), 2)


def test_a_successor_waits_for_the_worker_before_it(party: Bureau) -> None:
    """The work on a request of the job that gives way is over before its successor's worker begins."""
    held, started, go_on = party.jobs(), threading.Event(), threading.Event()
    order: list[str] = []

    def slow(message: Message) -> Message:
        started.set()
        go_on.wait(10)
        order.append("first")
        return answer_all(message)

    def successor() -> Message:
        return held.answer(
            "bank", PEER, party.envelope("j2", ALIGN), lambda _: order.append("second") or answer_all
        ).body

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(held.answer, "bank", PEER, party.envelope("j1", ALIGN), lambda _: slow)
        started.wait(10)
        second = pool.submit(successor)
        go_on.set()
        first.result()
        second.result()
    assert order == ["first", "second"]


def test_an_opening_that_comes_twice_opens_one_job(party: Bureau) -> None:
    """The same opening on two connections at once is worked on once and answered twice."""
    held, started, go_on = party.jobs(), threading.Event(), threading.Event()
    worked: list[Message] = []

    def slow(message: Message) -> Message:
        worked.append(message)
        started.set()
        go_on.wait(10)
        return answer_all(message)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(held.answer, "bank", PEER, party.envelope("j1", ALIGN), lambda _: slow)
        started.wait(10)
        second = pool.submit(held.answer, "bank", PEER, party.envelope("j1", ALIGN), lambda _: slow)
        go_on.set()
        assert first.result() == second.result()
    assert worked == [ALIGN]


def test_a_job_begins_with_request_1(party: Bureau) -> None:
    """An opening with another number takes no place."""
    held = party.jobs()
    with pytest.raises(OutOfSequence, match="number 1"):
        party.ask(held, "j1", ALIGN, 2)
    party.ask(held, "j2", ALIGN)


def test_a_restart_interrupts_open_jobs_alone(party: Bureau) -> None:
    """What was open when the server stopped is interrupted; what had ended stays as it ended."""
    held = party.jobs()
    party.ask(held, "done", m.AskPart("m1"))
    party.ask(held, "open", ALIGN)
    again = party.jobs()
    with pytest.raises(Interrupted, match="let go of the job"):
        party.ask(again, "open", FetchPoints(0, 1), 2)
    with pytest.raises(OutOfSequence, match="this job is closed"):
        party.ask(again, "done", m.AskPart("m1"))
    party.ask(again, "new", ALIGN)
