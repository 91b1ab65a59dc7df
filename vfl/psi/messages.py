"""Messages of an alignment: points of the group, masked by one side and by both."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from vfl.wire.message import Blob, Count, Identifier, Key32, Message, Sentence
from vfl.wire.protocol import CLOSED, NEW, Conversation, Step


class OpenAlignment(Message, frozen=True):
    """Ask to align. Both sides must prepare identifiers by the same recipe."""

    alignment: Identifier
    mode: Literal["left", "inner"]
    recipe: Annotated[list[Sentence], Meta(min_length=1, max_length=32)]
    rows: Count


class AlignmentOpened(Message, frozen=True):
    rows: Count


class MaskPoints(Message, frozen=True):
    """A chunk of the label party's identifiers, hashed to the group and masked with its scalar."""

    points: Blob


class PointsMasked(Message, frozen=True):
    """The same points in the same order, masked with the feature party's scalar as well."""

    points: Blob


class FetchPoints(Message, frozen=True):
    """Ask for a chunk of the feature party's own masked identifiers."""

    offset: Count
    count: Annotated[int, Meta(ge=1, lt=2**20)]


class PointsFetched(Message, frozen=True):
    points: Blob


class FixAlignment(Message, frozen=True):
    """Which of the feature party's points are aligned, in the order both sides will use."""

    positions: Blob
    key: Key32


class AlignmentFixed(Message, frozen=True):
    rows: Count
    fingerprint: Key32


CONVERSATION = Conversation(
    steps=(
        Step(NEW, OpenAlignment, AlignmentOpened, "masking"),
        Step("masking", MaskPoints, PointsMasked, "masking"),
        Step("masking", FetchPoints, PointsFetched, "masking"),
        Step("masking", FixAlignment, AlignmentFixed, CLOSED),
    ),
    reveals={
        OpenAlignment: "how many usable customers the label party has; how keys are made",
        AlignmentOpened: "how many usable customers the feature party has",
        MaskPoints: "nothing but their number",
        PointsMasked: "nothing by itself; needed to compare",
        FetchPoints: "nothing",
        PointsFetched: "which of the label party's customers the feature party knows",
        FixAlignment: "which of the feature party's customers are the label party's",
        AlignmentFixed: "nothing new",
    },
)
