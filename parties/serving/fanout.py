"""One request to every partner at a time, within its budget."""

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
    """What a partner said of the customers that it knows.

    status: ``answered``, ``late``, ``down``, ``refused`` (no contract is in force), ``failed``;
        ``unknown_customer`` where it knows none of them.
    known: int64 [k], which of the request's customers it knows.
    values: [k, its outputs], see `RemotePart.ask`; None without an answer.
    seconds: how long was waited for it.
    """

    status: PartyStatus
    known: Integers
    values: Values | None
    seconds: float

    @property
    def absent(self) -> bool:
        return self.values is None and self.status != "unknown_customer"


def query_peers(
    partners: Mapping[str, PeerConnection], positions: Mapping[str, Integers], began: float, budget: float
) -> dict[str, PeerReply]:
    """Ask all partners at once and wait for them until the budget is spent.

    Args:
        positions: by partner int64 [n], the place of each customer in its alignment, -1 for an unknown one.
        began: when the request came, by `time.monotonic`.
        budget: seconds from then on.
    """
    deadline = began + budget
    known = {name: np.flatnonzero(positions[name] >= 0) for name in partners}
    asked: dict[str, Question | PartyStatus] = {}
    for name, partner in partners.items():
        if not len(known[name]):
            asked[name] = "unknown_customer"
        elif (state := partner.state) != "answering":
            asked[name] = "refused" if state in ("waiting", "refused") else "down"
        elif time.monotonic() >= deadline:
            asked[name] = "late"
        else:
            asked[name] = partner.ask(positions[name][known[name]])
    told = {}
    for name, question in asked.items():
        status, values = (
            _wait(partners[name], question, deadline, budget)
            if isinstance(question, Question)
            else (question, None)
        )
        told[name] = PeerReply(status, known[name], values, time.monotonic() - began)
    return told


def _wait(
    partner: PeerConnection, question: Question, deadline: float, budget: float
) -> tuple[PartyStatus, Values | None]:
    try:
        return "answered", question.answer.result(max(0.0, deadline - time.monotonic()))
    except FutureTimeout:
        partner.give_up(question, budget)
        return "late", None
    except VflError:
        return "failed", None
