"""Messages that open and close scoring, and of a feature party that hands over its part of a model."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from vfl.model.question import SCORING
from vfl.wire.message import MAX_COLUMNS, Blob, Count, Identifier, Key32, Message
from vfl.wire.protocol import CLOSED, NEW, Conversation, Step


class OpenScoring(Message, frozen=True):
    model: Identifier
    alignment: Identifier
    fingerprint: Key32


class ScoringOpened(Message, frozen=True):
    """``reasons[i]`` is the name under which the contribution of column i may be reported.

    Columns of one name are reported as one value; an empty list forbids reasons. ``outputs`` is how many
    numbers the party's part says of a customer at most.
    """

    outputs: Count
    rows: Count
    reasons: Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=MAX_COLUMNS)]


class CloseScoring(Message, frozen=True):
    """No more questions follow."""


class ScoringClosed(Message, frozen=True):
    """The job is over."""


class AskPart(Message, frozen=True):
    """Ask the feature party to hand over its part of a model; only its policy can say yes."""

    model: Identifier


class PartGiven(Message, frozen=True):
    """The part as JSON."""

    part: Blob


CONVERSATION = Conversation(
    steps=(
        Step(NEW, OpenScoring, ScoringOpened, SCORING),
        Step(SCORING, CloseScoring, ScoringClosed, CLOSED),
        Step(NEW, AskPart, PartGiven, CLOSED),
    ),
    reveals={
        OpenScoring: "that these aligned customers may be scored with this model from now on",
        ScoringOpened: "the names that the feature party chose, and which of its columns share one",
        CloseScoring: "nothing",
        ScoringClosed: "nothing",
        AskPart: "that the label party wants the part",
        PartGiven: "the feature party's whole part",
    },
)
