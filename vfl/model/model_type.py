"""A kind of model: all that scoring, storage and reports need to know of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from vfl.arrays import Float32, Positions
from vfl.model.predictor import Answers, Predictor
from vfl.model.question import Question
from vfl.wire.message import Message
from vfl.wire.protocol import Conversation
from vfl.wire.session import LabelSession


@dataclass(frozen=True)
class ModelType:
    """A kind of model.

    Attributes:
        name: the tag of its parts, and how records and the command line call it.
        label_part, feature_part: the two kinds of part, see `vfl.model.part`.
        facts: what the label party records of such a model beside the part.
        conversation: its question in a scoring job, and the answer to it.
        question: the message that asks.
        predictor: makes a label party's part ready to score.
        ask: asks a feature party about positions; given how many outputs its part has, and the names under
            which it allows contributions. Returns what it says, [rows, outputs].
        answer: a feature party's reply about rows float32 [rows, columns of its part], under such names.
        merge: puts the parts of all parties together into one JSON document; given the label party's part,
            the feature parties' by name, and the label party's name. Raises StateError where one is absent
            or of another model.
        headline: what such a model is in a few words, from its facts and history: "10 trees".
        details: lines for people, from the same.
    """

    name: str
    label_part: type[Struct]
    feature_part: type[Struct]
    facts: type[Struct]
    conversation: Conversation
    question: type[Question]
    predictor: Callable[[Any], Predictor]
    ask: Callable[[LabelSession, Positions, int, Sequence[str]], Answers]
    answer: Callable[[Any, Float32, Sequence[str]], Message]
    merge: Callable[[Any, Mapping[str, Any], str], bytes]
    headline: Callable[[Any, Sequence[float]], str]
    details: Callable[[Any, Sequence[float]], list[str]]
