"""One request to all peers: send every question at once, and wait for the replies within the budget."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from parties.serving.peer_connection import PeerConnection, Question
from parties.serving.schemas import PartyStatus
from vfl.arrays import Integers
from vfl.errors import VflError

Values = npt.NDArray[Any]


class PeerReply(NamedTuple):
    """What a peer said of the customers that it knows.

    status: ``answered``, ``late``, ``down``, ``refused`` (no contract is in force), ``failed``;
        ``unknown_customer`` where it knows none of them.
    rows: int64 [k], those rows of the request whose customers it knows.
    values: [k, its outputs], see `RemotePart.ask`; None without an answer.
    seconds: how long the request waited for it.
    """

    status: PartyStatus
    rows: Integers
    values: Values | None
    seconds: float

    @property
    def is_absent(self) -> bool:
        return self.values is None and self.status != "unknown_customer"


def query_peers(
    peers: Mapping[str, PeerConnection], positions: Mapping[str, Integers], began: float, budget: float
) -> dict[str, PeerReply]:
    """Ask all peers at once and wait for them until the budget is spent.

    Args:
        positions: by peer int64 [n], the place of each customer in its alignment, -1 for an unknown one.
        began: when the request came, by `time.monotonic`.
        budget: seconds from then on.
    """
    deadline = began + budget
    rows = {name: np.flatnonzero(positions[name] >= 0) for name in peers}
    questions: dict[str, Question | PartyStatus] = {}
    for name, peer in peers.items():
        if not len(rows[name]):
            questions[name] = "unknown_customer"
        elif (state := peer.state) != "answering":
            questions[name] = "refused" if state in ("waiting", "refused") else "down"
        elif time.monotonic() >= deadline:
            questions[name] = "late"
        else:
            questions[name] = peer.ask(positions[name][rows[name]])
    replies = {}
    for name, question in questions.items():
        status, values = (
            _wait(peers[name], question, deadline, budget)
            if isinstance(question, Question)
            else (question, None)
        )
        replies[name] = PeerReply(status, rows[name], values, time.monotonic() - began)
    return replies


def _wait(
    peer: PeerConnection, question: Question, deadline: float, budget: float
) -> tuple[PartyStatus, Values | None]:
    try:
        return "answered", question.answer.result(max(0.0, deadline - time.monotonic()))
    except FutureTimeout:
        peer.give_up(question, budget)
        return "late", None
    except VflError:
        return "failed", None
