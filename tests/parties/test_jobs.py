"""Jobs: their places are few, given back, and outlive no restart."""

from __future__ import annotations

import pytest

from parties import database, jobs
from parties.config import Config
from parties.jobs import Jobs
from parties.settings import Limits, Peer
from vfl.errors import NotAllowed, OutOfSequence
from vfl.wire import messages as m
from vfl.wire.codec import Envelope

PEER = Peer(fingerprint="a" * 64, allow=["align", "export"], limits=Limits(open_jobs=1))


def answer_all(message: m.Message) -> m.Message:
    return m.ShareGiven(b"") if isinstance(message, m.AskShare) else m.AlignmentOpened(1)


def ask(held: Jobs, job: str, body: m.Request, sequence: int = 1) -> m.Message:
    return held.answer("bank", PEER, Envelope(job, sequence, body), lambda: answer_all).body


ALIGN = m.OpenAlignment("a1", "left", ["id:"], 1)


def test_an_ended_job_gives_its_place_back(bureau: Config) -> None:
    """A job of one message is over with it, so a peer with one place can open the next."""
    held = Jobs(database.connect(bureau))
    for job in ("j1", "j2", "j3"):
        assert isinstance(ask(held, job, m.AskShare("m1")), m.ShareGiven)
    with pytest.raises(OutOfSequence, match="this job is closed"):
        ask(held, "j1", m.AskShare("m1"))


def test_an_idle_job_gives_way(bureau: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job left alone for long does not lock its peer out; one in use does hold its place."""
    held = Jobs(database.connect(bureau))
    ask(held, "j1", ALIGN)
    with pytest.raises(NotAllowed, match="1 jobs open here"):
        ask(held, "j2", ALIGN)
    monkeypatch.setattr(jobs, "IDLE_SECONDS", -1.0)
    ask(held, "j2", ALIGN)
    with pytest.raises(OutOfSequence, match="this job is failed"):
        ask(held, "j1", m.FetchPoints(0, 1), 2)


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
    with pytest.raises(OutOfSequence, match="restarted in the middle"):
        ask(again, "open", m.FetchPoints(0, 1), 2)
    with pytest.raises(OutOfSequence, match="this job is closed"):
        ask(again, "done", m.AskShare("m1"))
    ask(again, "new", ALIGN)
