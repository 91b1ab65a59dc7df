"""Linear models as a kind of model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from vfl.arrays import Float32, Float64, Positions
from vfl.errors import MalformedMessage
from vfl.linear_model import messages as m
from vfl.linear_model.export import to_linear_json
from vfl.linear_model.parts import LinearFeaturePart, LinearLabelPart
from vfl.linear_model.predictor import LinearPredictor, partial_scores, places
from vfl.linear_model.result import LinearResult
from vfl.model.model_type import ModelType
from vfl.wire.session import LabelSession

MAX_ANSWER_BYTES = 2**25
"""Of partial scores in one message: half of what a frame may hold."""

METRIC = "largest change"


class LinearFacts(Struct, frozen=True, kw_only=True):
    """What the label party records of a linear model.

    Attributes:
        intercept, coefficients: its own, of columns as they took part: scaled, or in weights of evidence.
        unknown: by feature party, what a customer that it does not know adds to the linear predictor.
        directions: by feature party, how many it offered.
        converged: whether no coefficient would have moved by more than the tolerance.
    """

    intercept: float
    coefficients: dict[str, float]
    unknown: dict[str, float]
    directions: dict[str, int]
    converged: bool

    @classmethod
    def from_result(cls, result: LinearResult) -> LinearFacts:
        """Return what is on record of a result."""
        part = result.part
        return cls(
            intercept=part.intercept,
            coefficients=dict(zip(part.terms.columns, part.terms.coefficients, strict=True)),
            unknown={name: peer.unknown for name, peer in zip(part.owners, part.peers, strict=True)},
            directions=result.directions,
            converged=result.converged,
        )


def _ask(session: LabelSession, rows: Positions, outputs: int, reasons: Sequence[str]) -> Float64:
    first = np.unique(places(reasons, outputs))
    scores = np.zeros((len(rows), outputs))
    step = MAX_ANSWER_BYTES // (8 * len(first))
    for start in range(0, max(1, len(rows)), step):
        chunk = rows[start : start + step]
        reply = session.ask(m.AskPartialScores(chunk.tobytes()), m.PartialScoresGiven)
        if len(reply.values) != 8 * len(chunk) * len(first):
            raise MalformedMessage(f"{session.peer} gave other partial scores than it was asked for")
        values = np.frombuffer(reply.values, dtype="<f8").reshape(-1, len(first))
        if not np.isfinite(values).all():
            raise MalformedMessage(f"{session.peer} gave a partial score that is not finite")
        scores[start : start + step, first] = values
    return scores


def _answer(part: LinearFeaturePart, columns: Float32, reasons: Sequence[str]) -> m.PartialScoresGiven:
    values = partial_scores(part, columns, reasons)
    return m.PartialScoresGiven(values.astype("<f8", copy=False).tobytes())


def _merge(part: LinearLabelPart, parts: Mapping[str, LinearFeaturePart], label_party: str) -> bytes:
    return to_linear_json(part, parts, label_party)


def _headline(facts: LinearFacts, history: Sequence[float]) -> str:
    state = "converged" if facts.converged else "not converged"
    return f"a linear model, {state} after {len(history)} rounds"


def _details(facts: LinearFacts, history: Sequence[float]) -> list[str]:
    coefficients = {"(intercept)": facts.intercept} | facts.coefficients
    return [f"  {value:+10.4f}  {name}" for name, value in coefficients.items()]


LINEAR = ModelType(
    name="linear",
    label_part=LinearLabelPart,
    feature_part=LinearFeaturePart,
    facts=LinearFacts,
    conversation=m.CONVERSATION,
    question=m.AskPartialScores,
    predictor=LinearPredictor,
    ask=_ask,
    answer=_answer,
    merge=_merge,
    headline=_headline,
    details=_details,
)
