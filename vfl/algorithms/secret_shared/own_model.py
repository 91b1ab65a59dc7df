"""The label party's own rows, and the model of it alone: training starts there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfl.aggregation.table import LabelTable
from vfl.algorithms.secret_shared.encoding import MOST_ROWS
from vfl.algorithms.secret_shared.fourier import Series
from vfl.algorithms.secret_shared.whitening import Basis
from vfl.arrays import Float64, Integers
from vfl.errors import DataError
from vfl.linear_model.design import Design
from vfl.linear_model.evidence import NamedBinning
from vfl.linear_model.loss import Logistic
from vfl.linear_model.params import LinearParams
from vfl.linear_model.parts import LinearLabelPart, LinearPeer
from vfl.linear_model.solver import Penalty, minimise
from vfl.trace import span


@dataclass(frozen=True)
class OwnModel:
    """The label party's own data and model, before the first message.

    Attributes:
        params: of the job.
        binning: in whose weights of evidence columns take part, if in any.
        design: its own columns.
        y: float64 [n], labels; rows that the feature party knows come first, in aligned order.
        basis: coordinates of its columns.
        start: float64 [coordinates], coefficients of the model of the label party alone.
        flattest: least curvature there, in units of the bound's.
        series: that stands for the logistic function.
    """

    params: LinearParams
    binning: NamedBinning | None
    design: Design
    y: Float64
    basis: Basis
    start: Float64
    flattest: float
    series: Series

    @classmethod
    def fit(
        cls,
        table: LabelTable,
        params: LinearParams,
        binning: NamedBinning | None,
        peer: str,
        aligned: Integers,
    ) -> OwnModel:
        """Fit the label party's own columns.

        Args:
            table: its rows.
            params, binning: of the job.
            peer: name of the feature party.
            aligned: int64, the table's row of each aligned customer.

        Raises:
            DataError: too many rows, or labels or columns that cannot be used.
        """
        n, y = len(table.labels), table.labels.astype(np.float64)
        if n > MOST_ROWS:
            raise DataError(f"secret_shared trains on {MOST_ROWS} rows at most, not {n}")
        loss = Logistic()
        loss.check_labels(y)
        order = np.concatenate([aligned, np.setdiff1d(np.arange(n), aligned)])
        design, y = Design.from_table(table, params, binning, {peer: aligned}), y[order]
        constant = int(params.fit_intercept)
        columns = np.hstack([np.ones((n, constant)), design.columns])[order]
        with span("own model"):
            square = np.full(columns.shape[1], params.l2)
            square[:constant] = 0.0
            basis = Basis.from_columns(columns, square)
            penalty = Penalty.ridge(basis.penalty)
            ones, zeros = np.ones(n), np.zeros(basis.width)
            start = minimise(loss, basis.columns, np.zeros(n), y, ones, penalty, zeros)
            z = basis.columns @ start
            curvature = (basis.columns * loss.curvature(z)[:, None]).T @ basis.columns + basis.penalty
            flattest = float(np.linalg.eigvalsh(curvature)[0]) * 4 / n
            series = Series.fit(float(z.mean()))
        return cls(params, binning, design, y, basis, start, flattest, series)

    def part(self, coefficients: Float64, peer: str, feature: LinearPeer) -> LinearLabelPart:
        """Return the label party's part of the model.

        Args:
            coefficients: float64, of the intercept, if there is one, and of its own columns.
            peer: name of the feature party.
            feature: what the label party knows of its part, but for its unknown customers' own coefficient.
        """
        constant = int(self.params.fit_intercept)
        own = coefficients[constant:]
        unknown = feature.unknown + self.design.unknown(own).get(peer, 0.0)
        return LinearLabelPart(
            params=self.params,
            intercept=float(coefficients[0]) if constant else 0.0,
            terms=self.design.terms(own),
            owners=[peer],
            peers=[LinearPeer(shown=feature.shown, base=feature.base, unknown=unknown)],
            binning=self.binning and self.binning.own.of_selected(),
        )
