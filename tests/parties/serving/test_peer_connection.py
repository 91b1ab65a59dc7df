"""How workers share messages; a far end in this process stands where HTTPS would be."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from parties.config.settings import Serving
from parties.serving.peer_connection import MESSAGE_ROWS, PeerConnection
from vfl.errors import PeerUnreachable


class FarEnd:
    """Answers with the binary digits of positions; can be held up, and can be gone."""

    def __init__(self) -> None:
        self.reasons = ["x"]
        self.messages: list[int] = []
        self.opened = 0
        self.gone = False
        self.free = threading.Event()
        self.free.set()

    def open(self) -> Any:
        if self.gone:
            raise PeerUnreachable("gone")
        self.opened += 1
        return self

    def ask(self, positions: np.ndarray) -> np.ndarray:
        if self.gone:
            raise PeerUnreachable("gone")
        if len(positions):
            self.free.wait(10)
            self.messages.append(len(positions))
        return (positions[:, None] >> np.arange(16)) % 2 == 1

    def close(self) -> None:
        self.opened -= 1


@pytest.fixture
def far_end() -> FarEnd:
    return FarEnd()


@pytest.fixture
def peer(far_end: FarEnd) -> Iterator[PeerConnection]:
    made = PeerConnection("telco", far_end.open, Serving(workers=1, retry_seconds=0.05))
    made.wait_for_attempts(5)
    yield made
    far_end.free.set()
    made.close()


def number(answers: np.ndarray) -> list[int]:
    return (answers @ (1 << np.arange(16))).tolist()


def test_what_waits_shares_a_message(peer: PeerConnection, far_end: FarEnd) -> None:
    """While one message is under way the next questions gather; each gets its own rows back."""
    far_end.free.clear()
    first = peer.ask(np.array([7]))
    time.sleep(0.05)
    others = [peer.ask(np.arange(n, 2 * n)) for n in range(1, 20)]
    far_end.free.set()
    assert number(first.answer.result(5)) == [7]
    for n, question in enumerate(others, start=1):
        assert number(question.answer.result(5)) == list(range(n, 2 * n))
    assert far_end.messages == [1, sum(range(1, 20))]


def test_a_message_has_its_most_rows(peer: PeerConnection, far_end: FarEnd) -> None:
    """Questions share a message up to a number of rows; a larger one has its own."""
    far_end.free.clear()
    questions = [peer.ask(np.arange(size)) for size in (1, MESSAGE_ROWS + 5, MESSAGE_ROWS, 1)]
    far_end.free.set()
    for question in questions:
        question.answer.result(5)
    assert far_end.messages == [1, MESSAGE_ROWS + 5, MESSAGE_ROWS, 1]


def test_a_question_that_was_given_up_is_not_asked(peer: PeerConnection, far_end: FarEnd) -> None:
    """Nobody waits for it any more; the answers of others are not moved by it."""
    far_end.free.clear()
    first = peer.ask(np.array([1]))
    time.sleep(0.05)
    given_up, kept = peer.ask(np.array([2])), peer.ask(np.array([3]))
    peer.give_up(given_up, 0.01)
    far_end.free.set()
    assert number(kept.answer.result(5)) == [3]
    assert number(first.answer.result(5)) == [1]
    assert far_end.messages == [1, 1]


def test_a_partner_that_is_gone_fails_its_questions_and_is_found_again(
    peer: PeerConnection, far_end: FarEnd
) -> None:
    """The last job gone, the partner is down; the worker opens another when it is back."""
    far_end.gone = True
    with pytest.raises(PeerUnreachable):
        peer.ask(np.array([1])).answer.result(5)
    assert peer.state == "down"
    far_end.gone = False
    deadline = time.monotonic() + 5
    while peer.state != "answering" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert number(peer.ask(np.array([9])).answer.result(5)) == [9]


def test_closing_ends_the_jobs_and_the_workers(far_end: FarEnd) -> None:
    """Every worker closes the job that it opened."""
    before = threading.active_count()
    peer = PeerConnection("telco", far_end.open, Serving(workers=3))
    peer.wait_for_attempts(5)
    assert far_end.opened == 3
    peer.close()
    assert (far_end.opened, threading.active_count()) == (0, before)
