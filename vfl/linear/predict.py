"""Scores of linear models: each party says how much more than at their means its columns add.

Numbers are float64 and added one after the other in a fixed order, so that a row has the same margin in a
batch and alone, which a product of matrices does not promise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vfl.binning import Columns, check_columns
from vfl.errors import NotAligned
from vfl.linear.loss import LOSSES
from vfl.linear.model import LinearFeatureShare, LinearLabelShare
from vfl.scoring.model import Floats, Model, Told

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

JUDGES = {"logistic": "LogisticRegression", "squared": "LinearRegression", "poisson": "PoissonRegressor"}
"""By loss, the class of scikit-learn."""


def partial_scores(share: LinearFeatureShare, columns: Columns, reasons: Sequence[str]) -> Float64:
    """What a feature party's columns add to the linear predictor, more than at their means.

    Args:
        share: the party's share.
        columns: float32 [rows, columns of the party's table], NaN where missing.
        reasons: for each column of the model the name under which it may be told; empty for one sum of all.

    Returns:
        float64 [rows, distinct names]: sums of columns of one name, names in the order of their first
        column.

    Raises:
        DataError: not a float32 table, or an infinite value.
        NotAligned: another number of columns than the share is about.
    """
    contributions = _contributions(share, columns)
    place = places(reasons, contributions.shape[1])
    sums = np.zeros((len(columns), max(1, len(np.unique(place)))))
    numbers = np.unique(place, return_inverse=True)[1]
    for column, number in enumerate(numbers.tolist()):
        sums[:, number] += contributions[:, column]
    return sums


def places(reasons: Sequence[str], columns: int) -> Integers:
    """For each of so many columns the first one that is told with it, int64 [columns]."""
    if not reasons:
        return np.zeros(columns, dtype=np.int64)
    first: dict[str, int] = {}
    return np.array([first.setdefault(name, at) for at, name in enumerate(reasons)], dtype=np.int64)


class LinearPredictor(Model):
    """The label party's share of a linear model, made ready to score.

    A feature party that did not answer counts at the means of its columns for customers that it knows. A
    customer that it does not know adds what such customers added in training.
    """

    def __init__(self, share: LinearLabelShare) -> None:
        self._share = share
        self._base = share.base
        self._loss = LOSSES[share.params.loss]
        self._own = len(share.terms.columns)
        self._first = np.cumsum([len(share.features), *(peer.parts for peer in share.peers)])

    def gather(self, columns: Columns, told: Sequence[Told | None], known: Sequence[Integers]) -> Float64:
        """The contributions of all features, float64 [n, features]."""
        share = self._share
        if len(told) != len(share.owners) or len(known) != len(share.owners):
            raise NotAligned(f"The model needs partial scores from {len(share.owners)} feature parties")
        gathered = np.zeros((len(columns), int(self._first[-1])))
        gathered[:, : self._own] = _contributions(share, columns)
        strange = self._own
        parties = zip(share.owners, share.peers, self._first.tolist(), told, known, strict=False)
        for name, peer, start, values, rows in parties:
            if values is not None and values.shape != (len(rows), peer.parts):
                raise NotAligned(f"The partial scores from {name} do not fit the model or the rows asked for")
            if values is not None:
                gathered[rows, start : start + peer.parts] = values
            if peer.strange:
                gathered[:, strange] = peer.strange
                gathered[rows, strange] = 0.0
                strange += 1
        return gathered

    def margins(self, gathered: Told) -> Float64:
        margins = np.full(len(gathered), self._base)
        for feature in gathered.T:
            margins += feature
        return margins

    def scores(self, margins: Floats) -> Float32:
        return self._loss.mean(margins.astype(np.float64)).astype(np.float32)

    def contributions(self, gathered: Told) -> tuple[Float64, float]:
        return gathered, self._base

    def judged(self, columns: Columns, told: Sequence[Told], known: Sequence[Integers]) -> Float64:
        """The predictions of scikit-learn with these coefficients, on own columns and partial scores."""
        from sklearn import linear_model  # noqa: PLC0415  it takes seconds, and most commands need none

        share = self._share
        parts = [share.terms.scaling.apply(share.coded(columns))]
        for peer, values, rows in zip(share.peers, told, known, strict=True):
            part = np.full((len(columns), 1), peer.unknown)
            part[rows, 0] = peer.base + values.sum(axis=1)
            parts.append(part)
        table = np.hstack(parts)
        coefficients = np.array([*share.terms.coefficients, *np.ones(len(share.peers))])
        model = getattr(linear_model, JUDGES[share.params.loss])()
        model.fit(np.zeros((2, table.shape[1])), [0, 1])  # which links and classes there are, no more
        is_logistic = share.params.loss == "logistic"
        model.coef_ = coefficients[None] if is_logistic else coefficients
        model.intercept_ = np.array([share.intercept]) if is_logistic else share.intercept
        return np.asarray(model.predict_proba(table)[:, 1] if is_logistic else model.predict(table))


def _contributions(share: LinearFeatureShare | LinearLabelShare, columns: Columns) -> Float64:
    check_columns(columns)
    if columns.shape[1] != len(share.columns):
        raise NotAligned(f"{columns.shape[1]} columns given, the model was trained on {len(share.columns)}")
    return share.terms.contributions(share.coded(columns))
