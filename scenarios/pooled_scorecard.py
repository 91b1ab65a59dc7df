"""The judge of a scorecard: one institution with all columns in one table, plain counts and scikit-learn.

It reads the binnings and coefficients that the parties keep, which nobody could in life.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from parties import config as configuration
from parties.data.rows import Source
from parties.storage.model_store import ModelStore
from parties.storage.peer_store import PeerStore
from scenarios.consortium import Consortium
from scenarios.pooled_table import PooledTable
from scenarios.run import MODEL
from vfl.algorithms.scorecard.model import ColumnTable, label_binning
from vfl.algorithms.scorecard.params import BinningParams
from vfl.algorithms.scorecard.points import Scale
from vfl.algorithms.scorecard.prebinning import pre_bin
from vfl.algorithms.scorecard.tables import bin_column, code_column, informative
from vfl.algorithms.scorecard.woe import Counts
from vfl.arrays import Bool, Float32, Float64
from vfl.linear_model.evidence import Binning, CodedColumn, woe_columns
from vfl.linear_model.parts import LinearFeaturePart, LinearLabelPart

BINNING = "bins"
BINS = BinningParams()


class Judge:
    """Judges a model on weights of evidence of a bank and one partner.

    Args:
        consortium: where both have trained.
        fit: the rows that were trained on, with everybody's columns.
    """

    def __init__(self, consortium: Consortium, fit: PooledTable) -> None:
        self.fit = fit
        label, partner = (
            configuration.load(consortium.path(block.name)) for block in consortium.institutions
        )
        archive, store = ModelStore(label), PeerStore(partner, label.party.name, Source(partner))
        self._label_binning = label_binning(archive.load_binning(BINNING)[1])
        self._partner = partner.party.name
        self._binnings = [self._label_binning.own, store.load_binning(BINNING)]
        _, part = archive.load_model(MODEL)
        other = store.load_part(MODEL)
        if not isinstance(part, LinearLabelPart) or not isinstance(other, LinearFeaturePart):
            raise TypeError("the scorecard is not that of a linear model")
        self._part, self._other = part, other

    def woe_difference(self) -> float:
        """The largest difference of a weight of evidence to that from plain counts in the same bins."""
        pairs = [
            (kept, plain)
            for binning, columns, known in self._parts(self.fit)
            for of in binning.coded
            for kept, plain in zip(
                [*of.woe, of.missing], self._plain(of, columns[:, of.column], known), strict=True
            )
        ]
        pairs.append((self._unknown_kept, self._unknown))
        return max(abs(kept - plain) for kept, plain in pairs)

    def coefficient_difference(self) -> float:
        """The largest difference of a coefficient to scikit-learn's on the table coded by plain counts."""
        ours = [self._part.intercept, *self._part.terms.coefficients, *self._other.terms.coefficients]
        theirs = [*self._model.intercept_, *self._model.coef_[0]]
        if self._unknown:
            ours.append(self._part.peers[0].unknown / self._unknown)
        return float(np.abs(np.array(ours) - theirs).max())

    def score_difference(self, test: PooledTable, scores: Float32) -> float:
        """The largest difference of scores to scikit-learn's."""
        return float(np.abs(self._model.predict_proba(self._design(test))[:, 1] - scores).max())

    def points_difference(self, test: PooledTable, cards: Mapping[str, Any], scores: Float32) -> float:
        """The largest difference of scores to those from adding up printed points."""
        own, theirs = cards.values()
        points = own["base_points"] + _points(own["rows"], test, 0)
        strangers = own["unknown"][self._partner]
        points = points + np.where(test.known, _points(theirs["rows"], test, 1), strangers)
        scale = Scale(own["pdo"], own["base_score"], own["base_odds"])
        return float(np.abs(scale.event_probability(points) - scores).max())

    def alone(self, test: PooledTable) -> Float32:
        """Scores of scikit-learn on the bank's columns in its own bins."""
        coded = [woe_columns(self._binnings[0], of.columns[:, : of.own]) for of in (self.fit, test)]
        return _predicted(coded[0], self.fit.labels, coded[1])

    def anew(self, test: PooledTable) -> Float32:
        """Scores of one institution that bins all columns anew and has scikit-learn fit the model."""
        binnings = [_binned(columns, known, self.fit.labels) for _, columns, known in self._parts(self.fit)]
        designs = []
        for rows in (self.fit, test):
            parts = zip(binnings, self._parts(rows), strict=True)
            coded = [np.where(k[:, None], woe_columns(of, columns), 0) for of, (_, columns, k) in parts]
            designs.append(np.hstack([*coded, self._strangers(rows)]))
        return _predicted(designs[0], self.fit.labels, designs[1])

    @cached_property
    def _model(self) -> LogisticRegression:
        return _fitted(self._design(self.fit), self.fit.labels)

    @property
    def _unknown_kept(self) -> float:
        return self._label_binning.unknown.get(self._partner, 0.0)

    @property
    def _unknown(self) -> float:
        return self._evidence(~self.fit.known) if self._unknown_kept else 0.0

    def _parts(self, rows: PooledTable) -> Iterator[tuple[Binning, Float32, Bool]]:
        """Each party's binning, its columns of some rows, and which customers it knows."""
        everybody = np.ones(len(rows.labels), dtype=np.bool_)
        yield self._binnings[0], rows.columns[:, : rows.own], everybody
        yield self._binnings[1], rows.columns[:, rows.own :], rows.known

    def _design(self, rows: PooledTable) -> Float64:
        """Every kept column in weights of evidence from plain counts, and who is unknown to the partner."""
        coded = []
        for place, (binning, columns, known) in enumerate(self._parts(rows)):
            _, fitted, fit_known = list(self._parts(self.fit))[place]
            for of in binning.coded:
                plain = self._plain(of, fitted[:, of.column], fit_known)
                values = np.array(plain)[_bins(of, columns[:, of.column])]
                coded.append(np.where(known, values, 0.0))
        return np.column_stack([*coded, self._strangers(rows)])

    def _strangers(self, rows: PooledTable) -> Float64:
        """The column of who is unknown to the partner [rows, 1], or none."""
        unknown = np.where(rows.known, 0.0, self._unknown)[:, None]
        return unknown if self._unknown else unknown[:, :0]

    def _plain(self, of: CodedColumn, values: Float32, known: Bool) -> list[float]:
        """Weights of evidence from plain counts: of each bin of values, then of missing ones."""
        bins = _bins(of, values)
        found = [self._evidence(known & (bins == number)) for number in range(len(of.woe))]
        apart = known & (bins == len(of.woe))
        # Missing values that were too few to count joined a bin of values.
        joined = of.missing in of.woe or not apart.any()
        return [*found, of.missing if joined else self._evidence(apart)]

    def _evidence(self, rows: Bool) -> float:
        """ln(fraction of label 0 in some rows / fraction of label 1); 0 where one of them is too rare."""
        labels = self.fit.labels
        good, bad = float((labels[rows] == 0).sum()), float((labels[rows] == 1).sum())
        if min(good, bad) < BINS.min_events:
            return 0.0
        return float(np.log(good / (labels == 0).sum()) - np.log(bad / (labels == 1).sum()))


def _binned(columns: Float32, known: Bool, labels: Float32) -> Binning:
    """Bin a party's columns in the clear: pre-bins of the rows that it knows, merged by plain counts."""
    totals, there = _counted(labels), _counted(labels[known])
    prebins = pre_bin(columns[known], BINS.prebinning, BINS.max_prebins)
    found = []
    for column, n_bins in enumerate(prebins.n_bins.tolist()):
        codes = prebins.codes[:, column]
        rows, events = (
            np.bincount(codes, weights=of, minlength=n_bins + 1)[:n_bins].astype(np.float64)
            for of in (np.ones(len(codes)), labels[known])
        )
        place = ColumnTable(owner="", column=column, name="", bins=[], selected=False)
        found.append(bin_column(place, Counts(rows, events), there, totals, BINS))
    best = informative(found, BINS.min_iv)
    coded = [code_column(prebins, of.table.column, of.ends, of.woe, of.missing) for of in best]
    return Binning(columns=[str(column) for column in range(columns.shape[1])], coded=coded)


def _counted(labels: Float32) -> Counts:
    return Counts(np.array([float(len(labels))]), np.array([float(labels.sum())]))


def _bins(of: CodedColumn, values: Float32) -> npt.NDArray[np.int64]:
    """The bin of each value; one more for missing values."""
    found = np.searchsorted(np.array(of.cuts, dtype=np.float32), values, side="right")
    return np.where(np.isnan(values), len(of.woe), found)


def _points(lines: Sequence[Mapping[str, Any]], rows: PooledTable, party: int) -> Float64:
    """The points of printed lines for rows of a table, by the bounds that are printed."""
    names = [column for _, column in rows.names]
    total = np.zeros(len(rows.labels))
    for line in lines:
        first = rows.own if party else 0
        values = rows.columns[:, names.index(line["column"], first)]
        if line["kind"] == "missing":
            inside = np.isnan(values)
        else:
            low = -np.inf if line["low"] is None else np.float32(line["low"])
            high = np.inf if line["high"] is None else np.float32(line["high"])
            inside = (values >= low) & (values < high)
        total += np.where(inside, line["points"], 0.0)
    return total


def _fitted(columns: Float64, labels: Float32) -> LogisticRegression:
    return LogisticRegression(tol=1e-12, max_iter=1000).fit(columns, labels)


def _predicted(columns: Float64, labels: Float32, test: Float64) -> Float32:
    scores: Float32 = _fitted(columns, labels).predict_proba(test)[:, 1].astype(np.float32)
    return scores
