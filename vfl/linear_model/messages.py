"""The question of a linear model to a feature party while customers are scored."""

from __future__ import annotations

from vfl.model.question import SCORING, Question
from vfl.wire.message import Blob, Message
from vfl.wire.protocol import Conversation, Step


class AskPartialScores(Question, frozen=True):
    """Ask what the columns of a feature party's part add for some customers."""


class PartialScoresGiven(Message, frozen=True):
    """Little-endian float64 of the asked rows by name, row by row.

    Each is the sum, over the columns of one name of `ScoringOpened`, of what they add to the linear predictor
    more than at their means; names come in the order of their first columns. It is one sum of all columns
    where telling any is forbidden.
    """

    values: Blob


CONVERSATION = Conversation(
    steps=(Step(SCORING, AskPartialScores, PartialScoresGiven, SCORING),),
    reveals={
        AskPartialScores: "exactly who is scored, when, and how often",
        PartialScoresGiven: "one float64 for each asked customer and name: an exact combination of "
        "the customer's columns with weights that stay secret",
    },
)
