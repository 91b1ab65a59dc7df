"""Parameters of linear models, under scikit-learn's names."""

from __future__ import annotations

import msgspec

from vfl.ranges import FLAG, Range, integer, mistakes, number, one_of, or_none, refuse

PROTOCOLS = ("plain", "shared")
LOSSES = ("logistic", "squared", "poisson")


class LinearParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a training job fixes about a linear model; checked as a whole when made.

    The objective is scikit-learn's: the sum over rows of weight times loss, plus
    ``((1 - l1_ratio) / 2 * ||w||^2 + l1_ratio * ||w||_1) / C``. The intercept costs nothing.

    Args:
        loss: ``logistic`` (labels 0 and 1), ``squared`` (half the squared residual, so that ``Ridge`` has
            ``alpha = 1 / C``) or ``poisson`` (``PoissonRegressor`` has ``alpha = 1 / (C * sum of weights)``).
        C: inverse strength of the penalty; None for no penalty.
        l1_ratio: fraction of the L1 penalty, 0 to 1.
        fit_intercept: whether the label party adds a constant column.
        standardise: whether each party scales its columns to mean 0 and deviation 1 on its own rows; the
            penalty is then that of the scaled columns. A missing value, and the columns of a customer that
            a party does not know, count as the mean either way.
        tol: training has converged once no coefficient of a feature party would move by more.
        max_iter: most rounds.
        protocol: what crosses between the parties: ``plain`` tells the label party combinations of a feature
            party's columns, ``shared`` does not (`vfl.algorithms.secret_shared`).

    Raises:
        ParameterError: one or more parameters are outside their range; the message names every one.
    """

    loss: str = "logistic"
    C: float | None = 1.0
    l1_ratio: float = 0.0
    fit_intercept: bool = True
    standardise: bool = True
    tol: float = 1e-5
    max_iter: int = 30
    protocol: str = "plain"

    def __post_init__(self) -> None:
        refuse(mistakes(self, _RANGES))

    @property
    def l2(self) -> float:
        """Factor of half the squared coefficients."""
        return 0.0 if self.C is None else (1 - self.l1_ratio) / self.C

    @property
    def l1(self) -> float:
        """Factor of the absolute coefficients."""
        return 0.0 if self.C is None else self.l1_ratio / self.C


_RANGES: dict[str, Range] = {
    "loss": one_of(LOSSES),
    "C": or_none(number(1e-12, 1e12)),
    "l1_ratio": number(0, 1),
    "fit_intercept": FLAG,
    "standardise": FLAG,
    "tol": number(1e-9, 1),
    "max_iter": integer(1, 1000),
    "protocol": one_of(PROTOCOLS),
}
