"""A protocol: conversations that fit together, and plain words for each of their messages."""

from __future__ import annotations

import pytest

from vfl.jobs import PROTOCOL
from vfl.scoring.messages import CONVERSATION
from vfl.wire.protocol import Conversation, Protocol


def test_words_are_plain_sentences() -> None:
    """Words are shown to people as they stand: no markup, no end of a sentence, none empty."""
    words_of = PROTOCOL.reveals
    assert [kind for kind, words in words_of.items() if not words or set(words) & set("*`|\n")] == []
    assert [kind for kind, words in words_of.items() if words.endswith(".")] == []


def test_a_kind_of_message_is_in_one_conversation() -> None:
    """Two messages of one name cannot be told apart on the wire."""
    with pytest.raises(ValueError, match="OpenScoring"):
        Protocol([CONVERSATION, CONVERSATION])


def test_a_message_without_words_joins_no_protocol() -> None:
    """Whatever can be sent or answered, a ledger can say what it tells, and of nothing else."""
    silent = Conversation(CONVERSATION.steps, {})
    with pytest.raises(ValueError, match="what it reveals"):
        Protocol([silent])
