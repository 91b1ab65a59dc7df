"""Jobs: their places are few, given back, and outlive no restart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from parties import database, jobs
from parties.config import Config
from parties.contracts import Contracts
from parties.jobs import Jobs
from parties.notary import Notary
from parties.rows import Source
from parties.settings import Limits, Peer
from vfl.errors import NotAllowed, OutOfSequence
from vfl.wire import messages as m
from vfl.wire.codec import Envelope

PEER = Peer(fingerprint="a" * 64, allow=["align", "export"], limits=Limits(open_jobs=1))


def answer_all(message: m.Message) -> m.Message:
    return m.ShareGiven(b"") if isinstance(message, m.AskShare) else m.AlignmentOpened(1)


class Bureau:
    """The jobs of a bureau that has signed two contracts with the bank."""

    def __init__(self, bank: Config, bureau: Config, signed: Callable[..., bytes]) -> None:
        self.config, self.engine = bureau, database.connect(bureau)
        self.align = signed(bank, bureau, "align", alignment="a1")
        self.export = signed(bank, bureau, "export", model="m1")

    def jobs(self) -> Jobs:
        return Jobs(self.engine, Notary(self.config, Contracts(self.engine), Source(self.config)))

    def ask(self, held: Jobs, job: str, body: m.Request, sequence: int = 1) -> m.Message:
        contract = self.export if isinstance(body, m.AskShare) else self.align
        envelope = Envelope(job, sequence, body, contract)
        return held.answer("bank", PEER, envelope, lambda _: answer_all).body


@pytest.fixture
def at(bank: Config, bureau: Config, signed: Callable[..., bytes]) -> Bureau:
    return Bureau(bank, bureau, signed)


ALIGN = m.OpenAlignment("a1", "left", ["id:"], 1)


def test_an_ended_job_gives_its_place_back(at: Bureau) -> None:
    """A job of one message is over with it, so a peer with one place can open the next."""
    held = at.jobs()
    for job in ("j1", "j2", "j3"):
        assert isinstance(at.ask(held, job, m.AskShare("m1")), m.ShareGiven)
    with pytest.raises(OutOfSequence, match="this job is closed"):
        at.ask(held, "j1", m.AskShare("m1"))


def test_an_idle_job_gives_way(at: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job left alone for long does not lock its peer out; one in use does hold its place."""
    held = at.jobs()
    at.ask(held, "j1", ALIGN)
    with pytest.raises(NotAllowed, match="1 jobs open here"):
        at.ask(held, "j2", ALIGN)
    monkeypatch.setattr(jobs, "IDLE_SECONDS", -1.0)
    at.ask(held, "j2", ALIGN)
    with pytest.raises(OutOfSequence, match="this job is failed"):
        at.ask(held, "j1", m.FetchPoints(0, 1), 2)


def test_a_job_begins_with_request_1(at: Bureau) -> None:
    """An opening with another number takes no place."""
    held = at.jobs()
    with pytest.raises(OutOfSequence, match="number 1"):
        at.ask(held, "j1", ALIGN, 2)
    at.ask(held, "j2", ALIGN)


def test_a_restart_interrupts_open_jobs_alone(at: Bureau) -> None:
    """What was open when the server stopped is interrupted; what had ended stays as it ended."""
    held = at.jobs()
    at.ask(held, "done", m.AskShare("m1"))
    at.ask(held, "open", ALIGN)
    again = at.jobs()
    with pytest.raises(OutOfSequence, match="restarted in the middle"):
        at.ask(again, "open", m.FetchPoints(0, 1), 2)
    with pytest.raises(OutOfSequence, match="this job is closed"):
        at.ask(again, "done", m.AskShare("m1"))
    at.ask(again, "new", ALIGN)
