"""Boosted trees as a kind of model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from vfl.aggregation.bitmap import from_bitmap, to_bitmap
from vfl.algorithms.trees import messages as m
from vfl.algorithms.trees.disclosure_control import DisclosureReport
from vfl.algorithms.trees.export import to_xgboost_json
from vfl.algorithms.trees.parts import TreesFeaturePart, TreesLabelPart
from vfl.algorithms.trees.predictor import TreesPredictor, split_directions
from vfl.arrays import Bool, Float32, Positions
from vfl.model.model_type import ModelType
from vfl.wire.session import LabelSession

SHOWN_FEATURES = 10
"""Features that people are shown, those with the most gain."""


class TreesFacts(Struct, frozen=True, kw_only=True):
    """What the label party records of boosted trees.

    Attributes:
        trees: how many the model has.
        importances: by feature, its mean gain as a fraction of all.
        disclosure: by feature party, what its disclosure control changed in trees.
    """

    trees: int
    importances: dict[str, float]
    disclosure: dict[str, DisclosureReport] = {}


def _ask(session: LabelSession, rows: Positions, outputs: int, reasons: Sequence[str]) -> Bool:
    answer = session.ask(m.AskDirections(rows.tobytes()), m.DirectionsGiven)
    return from_bitmap(answer.go_left, outputs, len(rows))


def _answer(part: TreesFeaturePart, columns: Float32, reasons: Sequence[str]) -> m.DirectionsGiven:
    return m.DirectionsGiven(to_bitmap(split_directions(part, columns)))


def _merge(part: TreesLabelPart, parts: Mapping[str, TreesFeaturePart], label_party: str) -> bytes:
    return to_xgboost_json(part, parts)


def _headline(facts: TreesFacts, history: Sequence[float]) -> str:
    return f"{facts.trees:,} trees"


def _details(facts: TreesFacts, history: Sequence[float]) -> list[str]:
    best = sorted(facts.importances.items(), key=lambda item: -item[1])[:SHOWN_FEATURES]
    return [
        *(f"disclosure control of {peer}: {report}" for peer, report in facts.disclosure.items() if report),
        *(f"  {fraction:6.1%}  {name}" for name, fraction in best),
    ]


TREES = ModelType(
    name="trees",
    label_part=TreesLabelPart,
    feature_part=TreesFeaturePart,
    facts=TreesFacts,
    conversation=m.SCORING_CONVERSATION,
    question=m.AskDirections,
    predictor=TreesPredictor,
    ask=_ask,
    answer=_answer,
    merge=_merge,
    headline=_headline,
    details=_details,
)
