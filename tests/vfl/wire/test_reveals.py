"""What a ledger says that a message reveals: something for every message, nothing for any other."""

from __future__ import annotations

from typing import get_args

from vfl.wire import messages as m
from vfl.wire.handshake import Hello, Welcome
from vfl.wire.reveals import REVEALS
from vfl.wire.states import REPLIES

KINDS = {kind.__name__ for kind in (*get_args(m.Request), *get_args(m.Reply), Hello, Welcome)}


def test_every_message_has_its_words() -> None:
    """Whatever can be sent or answered, a ledger can say what it tells, and of nothing else."""
    assert set(REVEALS) == KINDS


def test_requests_and_replies_are_those_of_the_states() -> None:
    """A request that some state accepts, and its reply, are among them."""
    assert {kind.__name__ for kind in (*REPLIES, *REPLIES.values())} <= set(REVEALS)


def test_words_are_plain_sentences() -> None:
    """Words are shown to people as they stand: no markup, no end of a sentence, none empty."""
    assert [kind for kind, words in REVEALS.items() if not words or set(words) & set("*`|\n")] == []
    assert [kind for kind, words in REVEALS.items() if words.endswith(".")] == []
