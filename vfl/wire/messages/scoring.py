"""Messages of scoring, and of a feature party that hands over its share."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from vfl.wire.messages.fields import MAX_COLUMNS, Blob, Count, Identifier, Key32, Message

SCORING_ROWS = 65_536
"""Rows that one scoring message may ask for: at 500 splits 4 MB come back."""


class OpenScoring(Message, frozen=True):
    model: Identifier
    alignment: Identifier
    fingerprint: Key32


class ScoringOpened(Message, frozen=True):
    """``reasons[i]`` is the name under which the contribution of column i may be told.

    Columns of one name are told as one value; an empty list forbids telling any. ``parts`` counts the
    splits of the share, or the columns of a linear model.
    """

    parts: Count
    rows: Count
    reasons: Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=MAX_COLUMNS)]


class AskDirections(Message, frozen=True):
    """Ask which way each of ``rows`` goes at every split of the share.

    ``rows`` are positions in the alignment, little-endian ``uint32``: in any order, repeats allowed, none
    allowed (which asks no more than whether the party answers).
    """

    rows: Annotated[bytes, Meta(max_length=4 * SCORING_ROWS)]


class DirectionsGiven(Message, frozen=True):
    """A bitmap of the asked rows by ``splits``, each row padded to whole bytes."""

    go_left: Blob


class AskPartialScores(Message, frozen=True):
    """Ask what the columns of a share of a linear model add for ``rows``, given as in `AskDirections`."""

    rows: Annotated[bytes, Meta(max_length=4 * SCORING_ROWS)]


class PartialScoresGiven(Message, frozen=True):
    """Little-endian float64 of the asked rows by name, row by row.

    Each is the sum, over the columns of one name of `ScoringOpened`, of what they add to the linear predictor
    more than at their means; names come in the order of their first columns. It is one sum of all columns
    where telling any is forbidden.
    """

    values: Blob


class CloseScoring(Message, frozen=True):
    pass


class ScoringClosed(Message, frozen=True):
    pass


class AskShare(Message, frozen=True):
    """Ask the feature party to hand over its share of a model; only its policy can say yes."""

    model: Identifier


class ShareGiven(Message, frozen=True):
    share: Blob


ScoringRequest = OpenScoring | AskDirections | AskPartialScores | CloseScoring | AskShare

ScoringReply = ScoringOpened | DirectionsGiven | PartialScoresGiven | ScoringClosed | ShareGiven
