"""Scores of linear models: each party says how much more than at their means its columns add.

Numbers are float64 and added one after the other in a fixed order, so that a row has the same margin in a
batch and alone, which a product of matrices does not promise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vfl.arrays import Float32, Float64, Floats, Integers, check_columns
from vfl.errors import NotAligned
from vfl.linear_model.loss import LOSSES
from vfl.linear_model.parts import LinearFeaturePart, LinearLabelPart
from vfl.model.predictor import Answers, Predictor

JUDGES = {"logistic": "LogisticRegression", "squared": "LinearRegression", "poisson": "PoissonRegressor"}
"""By loss, the class of scikit-learn."""


def partial_scores(part: LinearFeaturePart, columns: Float32, reasons: Sequence[str]) -> Float64:
    """What a feature party's columns add to the linear predictor, more than at their means.

    Args:
        part: the party's part.
        columns: float32 [rows, columns of the party's table], NaN where missing.
        reasons: for each column of the model the name that it is reported under; empty for one sum of all.

    Returns:
        float64 [rows, distinct names]: sums of columns of one name, names in the order of their first
        column.

    Raises:
        DataError: not a float32 table, or an infinite value.
        NotAligned: another number of columns than the part is about.
    """
    contributions = _contributions(part, columns)
    place = places(reasons, contributions.shape[1])
    sums = np.zeros((len(columns), max(1, len(np.unique(place)))))
    numbers = np.unique(place, return_inverse=True)[1]
    for column, number in enumerate(numbers.tolist()):
        sums[:, number] += contributions[:, column]
    return sums


def places(reasons: Sequence[str], columns: int) -> Integers:
    """For each column the first one of the same reason, int64 [columns]."""
    if not reasons:
        return np.zeros(columns, dtype=np.int64)
    first: dict[str, int] = {}
    return np.array([first.setdefault(name, number) for number, name in enumerate(reasons)], dtype=np.int64)


class LinearPredictor(Predictor):
    """The label party's part of a linear model, made ready to score.

    A feature party that did not answer counts at the means of its columns for customers that it knows. A
    customer that it does not know adds what such customers added in training.
    """

    def __init__(self, part: LinearLabelPart) -> None:
        self._part = part
        self._base = part.base
        self._loss = LOSSES[part.params.loss]
        self._own = len(part.terms.columns)
        self._first = np.cumsum([len(part.features), *(peer.outputs for peer in part.peers)])

    def gather(
        self, columns: Float32, answers: Sequence[Answers | None], known: Sequence[Integers]
    ) -> Float64:
        """The contributions of all features, float64 [n, features]."""
        part = self._part
        if len(answers) != len(part.owners) or len(known) != len(part.owners):
            raise NotAligned(f"The model needs partial scores from {len(part.owners)} feature parties")
        gathered = np.zeros((len(columns), int(self._first[-1])))
        gathered[:, : self._own] = _contributions(part, columns)
        strange = self._own
        parties = zip(part.owners, part.peers, self._first.tolist(), answers, known, strict=False)
        for name, peer, start, values, rows in parties:
            if values is not None and values.shape != (len(rows), peer.outputs):
                raise NotAligned(f"The partial scores from {name} do not fit the model or the rows asked for")
            if values is not None:
                gathered[rows, start : start + peer.outputs] = values
            if peer.strange:
                gathered[:, strange] = peer.strange
                gathered[rows, strange] = 0.0
                strange += 1
        return gathered

    def margins(self, gathered: Answers) -> Float64:
        margins = np.full(len(gathered), self._base)
        for feature in gathered.T:
            margins += feature
        return margins

    def scores(self, margins: Floats) -> Float32:
        return self._loss.mean(margins.astype(np.float64)).astype(np.float32)

    def contributions(self, gathered: Answers) -> tuple[Float64, float]:
        return gathered, self._base

    def reference_predictions(
        self, columns: Float32, answers: Sequence[Answers], known: Sequence[Integers]
    ) -> Float64:
        """The predictions of scikit-learn with these coefficients, on own columns and partial scores."""
        from sklearn import linear_model  # noqa: PLC0415  it takes seconds, and most commands need none

        part = self._part
        blocks = [part.terms.scaling.apply(part.coded(columns))]
        for peer, values, rows in zip(part.peers, answers, known, strict=True):
            block = np.full((len(columns), 1), peer.unknown)
            block[rows, 0] = peer.base + values.sum(axis=1)
            blocks.append(block)
        table = np.hstack(blocks)
        coefficients = np.array([*part.terms.coefficients, *np.ones(len(part.peers))])
        model = getattr(linear_model, JUDGES[part.params.loss])()
        model.fit(np.zeros((2, table.shape[1])), [0, 1])  # which links and classes there are, no more
        is_logistic = part.params.loss == "logistic"
        model.coef_ = coefficients[None] if is_logistic else coefficients
        model.intercept_ = np.array([part.intercept]) if is_logistic else part.intercept
        return np.asarray(model.predict_proba(table)[:, 1] if is_logistic else model.predict(table))


def _contributions(part: LinearFeaturePart | LinearLabelPart, columns: Float32) -> Float64:
    check_columns(columns)
    if columns.shape[1] != len(part.columns):
        raise NotAligned(f"{columns.shape[1]} columns given, the model was trained on {len(part.columns)}")
    return part.terms.contributions(part.coded(columns))
