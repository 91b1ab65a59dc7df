"""Jobs: their places are few, given back, and outlive no restart."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from parties import database, jobs
from parties.config import Config
from parties.jobs import Jobs
from parties.settings import Limits, Peer
from vfl.errors import Interrupted, NotAllowed, OutOfSequence, Replayed
from vfl.wire import messages as m
from vfl.wire.codec import Envelope

PEER = Peer(fingerprint="a" * 64, allow=["align", "export"], limits=Limits(open_jobs=1))


def answer_all(message: m.Message) -> m.Message:
    return m.ShareGiven(b"") if isinstance(message, m.AskShare) else m.AlignmentOpened(1)


def ask(held: Jobs, job: str, body: m.Request, sequence: int = 1) -> m.Message:
    return held.answer("bank", PEER, Envelope(job, sequence, body), lambda: answer_all).body


ALIGN, OTHER = (m.OpenAlignment(name, "left", ["id:"], 1) for name in ("a1", "a2"))


def test_an_ended_job_gives_its_place_back(bureau: Config) -> None:
    """A job of one message is over with it, so a peer with one place can open the next."""
    held = Jobs(database.connect(bureau))
    for job in ("j1", "j2", "j3"):
        assert isinstance(ask(held, job, m.AskShare("m1")), m.ShareGiven)
    assert isinstance(ask(held, "j1", m.AskShare("m1")), m.ShareGiven)  # its answer may have been lost
    with pytest.raises(Replayed):
        ask(held, "j1", m.AskShare("m2"))
    with pytest.raises(OutOfSequence, match="while the job is closed"):
        ask(held, "j1", m.AskShare("m1"), 2)


@pytest.mark.parametrize("limit", ["IDLE_SECONDS", "SPARE_SECONDS"])
def test_an_idle_job_gives_way(bureau: Config, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """A job left alone for long does not lock its peer out; one in use does hold its place."""
    held = Jobs(database.connect(bureau))
    ask(held, "j1", ALIGN)
    with pytest.raises(NotAllowed, match="1 jobs open here"):
        ask(held, "j2", OTHER)
    monkeypatch.setattr(jobs, limit, -1.0)
    ask(held, "j2", OTHER)
    with pytest.raises(Interrupted, match="let go of the job"):
        ask(held, "j1", m.FetchPoints(0, 1), 2)


def test_a_job_begun_anew_takes_the_place_of_the_first(bureau: Config) -> None:
    """A label party that died and aligns again under the name needs one place: the first job is over."""
    held = Jobs(database.connect(bureau))
    ask(held, "j1", ALIGN)
    ask(held, "j2", ALIGN)
    with pytest.raises(Interrupted):
        ask(held, "j1", m.FetchPoints(0, 1), 2)
    ask(held, "j2", m.FetchPoints(0, 1), 2)


def test_a_successor_waits_for_the_worker_before_it(bureau: Config) -> None:
    """The work on a request of the job that gives way is over before its successor's worker begins."""
    held, started, go_on = Jobs(database.connect(bureau)), threading.Event(), threading.Event()
    order: list[str] = []

    def slow(message: m.Message) -> m.Message:
        started.set()
        go_on.wait(10)
        order.append("first")
        return answer_all(message)

    def successor() -> m.Message:
        return held.answer(
            "bank", PEER, Envelope("j2", 1, ALIGN), lambda: order.append("second") or answer_all
        ).body

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(held.answer, "bank", PEER, Envelope("j1", 1, ALIGN), lambda: slow)
        started.wait(10)
        second = pool.submit(successor)
        go_on.set()
        first.result()
        second.result()
    assert order == ["first", "second"]


def test_an_opening_that_comes_twice_opens_one_job(bureau: Config) -> None:
    """The same opening on two connections at once is worked on once and answered twice."""
    held, started, go_on = Jobs(database.connect(bureau)), threading.Event(), threading.Event()
    worked: list[m.Message] = []

    def slow(message: m.Message) -> m.Message:
        worked.append(message)
        started.set()
        go_on.wait(10)
        return answer_all(message)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(held.answer, "bank", PEER, Envelope("j1", 1, ALIGN), lambda: slow)
        started.wait(10)
        second = pool.submit(held.answer, "bank", PEER, Envelope("j1", 1, ALIGN), lambda: slow)
        go_on.set()
        assert first.result() == second.result()
    assert worked == [ALIGN]


def test_a_job_begins_with_request_1(bureau: Config) -> None:
    """An opening with another number takes no place."""
    held = Jobs(database.connect(bureau))
    with pytest.raises(OutOfSequence, match="number 1"):
        ask(held, "j1", ALIGN, 2)
    ask(held, "j2", ALIGN)


def test_a_restart_interrupts_open_jobs_alone(bureau: Config) -> None:
    """What was open when the server stopped is interrupted; what had ended stays as it ended."""
    engine = database.connect(bureau)
    held = Jobs(engine)
    ask(held, "done", m.AskShare("m1"))
    ask(held, "open", ALIGN)
    again = Jobs(engine)
    with pytest.raises(Interrupted, match="let go of the job"):
        ask(again, "open", m.FetchPoints(0, 1), 2)
    with pytest.raises(OutOfSequence, match="this job is closed"):
        ask(again, "done", m.AskShare("m1"))
    ask(again, "new", ALIGN)
