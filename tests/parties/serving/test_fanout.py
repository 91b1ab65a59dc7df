"""One request to all peers: who is asked about whom, for how long, and what is said of those who are not."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from parties.serving.fanout import PeerReply, query_peers
from parties.serving.peer_connection import Question
from vfl.errors import PeerUnreachable

BUDGET = 0.2


class Peer:
    """A peer that answers at once with what it is given, an error included, or never."""

    def __init__(self, state: str = "answering", answer: Any = None, *, silent: bool = False) -> None:
        self.state = state
        self.questions: list[list[int]] = []
        self.given_up: list[tuple[Question, float]] = []
        self.asked_at = 0.0
        self._answer, self._silent = answer, silent

    def ask(self, positions: np.ndarray) -> Question:
        self.asked_at = time.monotonic()
        self.questions.append(positions.tolist())
        question = Question(positions)
        question.answer = Future()
        if isinstance(self._answer, Exception):
            question.answer.set_exception(self._answer)
        elif not self._silent:
            question.answer.set_result(positions[:, None] * 10)
        return question

    def give_up(self, question: Question, budget: float) -> None:
        self.given_up.append((question, budget))


def query(
    peers: dict[str, Peer], positions: dict[str, list[int]], spent: float = 0.0
) -> dict[str, PeerReply]:
    rows = {name: np.array(of_peer, dtype=np.int64) for name, of_peer in positions.items()}
    return query_peers(peers, rows, time.monotonic() - spent, BUDGET)  # type: ignore[arg-type]


def test_a_peer_is_asked_about_the_customers_that_it_knows() -> None:
    """Its answer comes with the rows of the request that it is about."""
    telco, shop = Peer(), Peer()
    replies = query({"telco": telco, "shop": shop}, {"telco": [7, -1, 3], "shop": [-1, 5, -1]})
    assert (telco.questions, shop.questions) == ([[7, 3]], [[5]])
    assert {name: reply.status for name, reply in replies.items()} == {
        "telco": "answered",
        "shop": "answered",
    }
    assert replies["telco"].rows.tolist() == [0, 2]
    assert replies["shop"].rows.tolist() == [1]
    assert replies["telco"].values is not None
    assert replies["telco"].values.tolist() == [[70], [30]]
    assert not any(reply.is_absent for reply in replies.values())


def test_a_peer_that_knows_none_of_them_hears_nothing() -> None:
    """Not even that there was a request; and it is not missing from the score."""
    peer = Peer()
    reply = query({"telco": peer}, {"telco": [-1, -1]})["telco"]
    assert (reply.status, reply.values, reply.is_absent) == ("unknown_customer", None, False)
    assert len(reply.rows) == 0
    assert peer.questions == []


@pytest.mark.parametrize(
    ("state", "status"),
    [("slow", "down"), ("down", "down"), ("waiting", "refused"), ("refused", "refused")],
)
def test_a_peer_that_does_not_answer_is_not_asked(state: str, status: str) -> None:
    """Nobody waits for it, and the reply says whether it is down or has no contract."""
    peer = Peer(state, silent=True)
    began = time.monotonic()
    reply = query({"telco": peer}, {"telco": [1]})["telco"]
    assert time.monotonic() - began < BUDGET
    assert (reply.status, reply.is_absent, peer.questions) == (status, True, [])


def test_an_unknown_customer_is_no_fault_of_a_peer_that_is_down() -> None:
    """Whether it is up makes no difference where it knows nobody."""
    reply = query({"telco": Peer("down")}, {"telco": [-1]})["telco"]
    assert (reply.status, reply.is_absent) == ("unknown_customer", False)


def test_a_late_answer_is_given_up_when_the_budget_is_spent() -> None:
    """The peer is told with which budget, and others of the same request have their answers."""
    telco, shop = Peer(silent=True), Peer()
    began = time.monotonic()
    replies = query({"telco": telco, "shop": shop}, {"telco": [1], "shop": [2]})
    took = time.monotonic() - began
    assert {name: reply.status for name, reply in replies.items()} == {"telco": "late", "shop": "answered"}
    assert BUDGET <= took < 10 * BUDGET
    assert replies["telco"].seconds >= BUDGET
    assert replies["telco"].is_absent
    assert [budget for _, budget in telco.given_up] == [BUDGET]
    assert shop.given_up == []


def test_all_peers_are_asked_before_one_is_waited_for() -> None:
    """Two silent peers cost one budget, not two."""
    peers = {"telco": Peer(silent=True), "shop": Peer(silent=True)}
    began = time.monotonic()
    replies = query(peers, {"telco": [1], "shop": [2]})
    assert [reply.status for reply in replies.values()] == ["late", "late"]
    assert peers["shop"].asked_at - began < BUDGET
    assert time.monotonic() - began < 1.9 * BUDGET


def test_a_budget_that_is_spent_before_anyone_is_asked_asks_nobody() -> None:
    """A request that waited too long for its turn sends nothing."""
    peer = Peer()
    reply = query({"telco": peer}, {"telco": [1]}, spent=BUDGET)["telco"]
    assert (reply.status, reply.is_absent, peer.questions) == ("late", True, [])


def test_an_answer_that_failed_leaves_the_others() -> None:
    """An error at one peer is a status of that peer alone."""
    peers = {"telco": Peer(answer=PeerUnreachable("gone")), "shop": Peer()}
    replies = query(peers, {"telco": [1], "shop": [2]})
    assert (replies["telco"].status, replies["telco"].values) == ("failed", None)
    assert replies["telco"].is_absent
    assert replies["shop"].status == "answered"


def test_a_fault_of_this_program_is_not_taken_for_a_peers() -> None:
    """Only errors that are raised on purpose become a status."""
    with pytest.raises(ZeroDivisionError):
        query({"telco": Peer(answer=ZeroDivisionError())}, {"telco": [1]})
