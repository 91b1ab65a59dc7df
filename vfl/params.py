"""Training parameters: of trees under XGBoost's names and defaults, of linear models under scikit-learn's.

Source: the parameter references of XGBoost 3.x and scikit-learn 1.x. Growth of trees is depth-wise only, so
``max_leaves`` and ``grow_policy`` are not offered.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

from vfl.errors import ParameterError

OBJECTIVES = ("binary:logistic", "reg:squarederror")
SAMPLE_STRATEGIES = ("bagging", "goss")
LINEAR_PROTOCOLS = ("plain", "shared")
LINEAR_LOSSES = ("logistic", "squared", "poisson")
EVAL_METRICS = ("auc", "aucpr", "logloss", "error", "rmse", "ks")


class TreeParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a training job fixes about the trees; checked as a whole when made.

    Args:
        n_estimators: number of boosting rounds, one tree each.
        max_depth: levels of splits in a tree, 1 to 30.
        learning_rate: factor on every leaf weight (``eta``), above 0 and at most 1.
        gamma: least gain that a split must reach (``min_split_loss``).
        min_child_weight: least sum of hessians in each child.
        reg_lambda: L2 penalty on leaf weights.
        reg_alpha: L1 penalty on leaf weights.
        max_delta_step: largest absolute leaf weight before the learning rate; 0 for no limit.
        scale_pos_weight: factor on the weight of rows with label 1 (``binary:logistic`` only).
        subsample: share of the training rows drawn for each tree.
        data_sample_strategy: how rows are drawn for each tree: ``bagging`` draws ``subsample`` of them
            evenly; ``goss`` (LightGBM's gradient-based one-side sampling) keeps the ``top_rate`` of rows
            with the largest gradients, draws ``other_rate`` of all from the rest and scales those up.
            Rows that are not drawn are neither encrypted nor sent.
        top_rate, other_rate: shares of all training rows, for ``goss`` only; together at most 1.
        colsample_bytree: share of all columns drawn for each tree.
        colsample_bylevel: share of the tree's columns drawn for each level.
        colsample_bynode: share of the level's columns drawn for each node.
        max_bin: most bins of a column, 2 to 65,535.
        base_score: prediction before the first tree: a probability for ``binary:logistic``, a value for
            ``reg:squarederror``; None estimates it from the labels as XGBoost does.
        objective: ``binary:logistic`` or ``reg:squarederror``.
        eval_metric: name of the metric watched on validation rows; None takes the objective's own
            (``logloss`` or ``rmse``).
        early_stopping_rounds: rounds without improvement after which training stops; None never stops.
        random_state: seed of row and column sampling. Sampling is not secret, and does not draw
            XGBoost's numbers: only unsampled training equals XGBoost from the parameters alone.

    Raises:
        ParameterError: one or more parameters are outside their range; the message names every one,
            its value and what is allowed.
    """

    n_estimators: int = 100
    max_depth: int = 6
    learning_rate: float = 0.3
    gamma: float = 0.0
    min_child_weight: float = 1.0
    reg_lambda: float = 1.0
    reg_alpha: float = 0.0
    max_delta_step: float = 0.0
    scale_pos_weight: float = 1.0
    subsample: float = 1.0
    data_sample_strategy: str = "bagging"
    top_rate: float = 0.2
    other_rate: float = 0.1
    colsample_bytree: float = 1.0
    colsample_bylevel: float = 1.0
    colsample_bynode: float = 1.0
    max_bin: int = 256
    base_score: float | None = None
    objective: str = "binary:logistic"
    eval_metric: str | None = None
    early_stopping_rounds: int | None = None
    random_state: int = 0

    def __post_init__(self) -> None:
        mistakes = _mistakes(self, _RANGES)
        is_probability = self.objective == "binary:logistic" and _is_number(self.base_score)
        if is_probability and not 0 < self.base_score < 1:  # type: ignore[operator]
            mistakes.append(f"base_score={self.base_score!r} (allowed: above 0 and below 1)")
        if not mistakes and self.data_sample_strategy == "goss":
            both = self.top_rate + self.other_rate
            if both > 1:
                mistakes.append(f"top_rate + other_rate={both!r} (allowed: at most 1)")
            if self.subsample < 1:
                mistakes.append(f"subsample={self.subsample!r} (allowed with goss: 1, goss draws the rows)")
        if mistakes:
            raise ParameterError("Parameters outside their range: " + "; ".join(mistakes))


class LinearParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a training job fixes about a linear model; checked as a whole when made.

    The objective is scikit-learn's: the sum over rows of weight times loss, plus
    ``((1 - l1_ratio) / 2 * ||w||^2 + l1_ratio * ||w||_1) / C``. The intercept costs nothing.

    Args:
        loss: ``logistic`` (labels 0 and 1), ``squared`` (half the squared residual, so that ``Ridge`` has
            ``alpha = 1 / C``) or ``poisson`` (``PoissonRegressor`` has ``alpha = 1 / (C * sum of weights)``).
        C: inverse strength of the penalty; None for no penalty.
        l1_ratio: share of the L1 penalty, 0 to 1.
        fit_intercept: whether the label party adds a constant column.
        standardise: whether each party scales its columns to mean 0 and deviation 1 on its own rows; the
            penalty is then that of the scaled columns. A missing value, and the columns of a customer that
            a party does not know, count as the mean either way.
        tol: training has converged once no coefficient of a feature party would move by more.
        max_iter: most rounds.
        protocol: what crosses between the parties: ``plain`` tells the label party combinations of a feature
            party's columns, ``shared`` does not (`vfl.linear.shared`).

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
        mistakes = _mistakes(self, _LINEAR_RANGES)
        if mistakes:
            raise ParameterError("Parameters outside their range: " + "; ".join(mistakes))

    @property
    def l2(self) -> float:
        """Factor of half the squared coefficients."""
        return 0.0 if self.C is None else (1 - self.l1_ratio) / self.C

    @property
    def l1(self) -> float:
        """Factor of the absolute coefficients."""
        return 0.0 if self.C is None else self.l1_ratio / self.C


_Range = tuple[Callable[[Any], bool], str]


def _mistakes(params: msgspec.Struct, ranges: dict[str, _Range]) -> list[str]:
    return [
        f"{name}={getattr(params, name)!r} (allowed: {allowed})"
        for name, (fits, allowed) in ranges.items()
        if not fits(getattr(params, name))
    ]


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return (_is_integer(value) or isinstance(value, float)) and math.isfinite(value)


def _integer(low: int, high: int) -> _Range:
    return lambda value: _is_integer(value) and low <= value <= high, f"a whole number {low} to {high}"


def _one_of(names: tuple[str, ...]) -> _Range:
    return lambda value: value in names, " or ".join(names)


def _or_none(inner: _Range) -> _Range:
    fits, allowed = inner
    return lambda value: value is None or fits(value), f"None or {allowed}"


_NUMBER: _Range = (_is_number, "a finite number")
_POSITIVE: _Range = (lambda value: _is_number(value) and value > 0, "a finite number above 0")
_NOT_NEGATIVE: _Range = (lambda value: _is_number(value) and value >= 0, "a finite number, 0 or above")
_SHARE: _Range = (lambda value: _is_number(value) and 0 < value <= 1, "above 0, at most 1")

_RANGES: dict[str, _Range] = {
    "n_estimators": _integer(1, 100_000),
    "max_depth": _integer(1, 30),
    "learning_rate": _SHARE,
    "gamma": _NOT_NEGATIVE,
    "min_child_weight": _NOT_NEGATIVE,
    "reg_lambda": _NOT_NEGATIVE,
    "reg_alpha": _NOT_NEGATIVE,
    "max_delta_step": _NOT_NEGATIVE,
    "scale_pos_weight": _POSITIVE,
    "subsample": _SHARE,
    "data_sample_strategy": _one_of(SAMPLE_STRATEGIES),
    "top_rate": _SHARE,
    "other_rate": _SHARE,
    "colsample_bytree": _SHARE,
    "colsample_bylevel": _SHARE,
    "colsample_bynode": _SHARE,
    "max_bin": _integer(2, 65_535),
    "base_score": _or_none(_NUMBER),
    "objective": _one_of(OBJECTIVES),
    "eval_metric": _or_none(_one_of(EVAL_METRICS)),
    "early_stopping_rounds": _or_none(_integer(1, 100_000)),
    "random_state": _integer(0, 2**63 - 1),
}

_FLAG: _Range = (lambda value: isinstance(value, bool), "true or false")

_LINEAR_RANGES: dict[str, _Range] = {
    "loss": _one_of(LINEAR_LOSSES),
    "C": _or_none((lambda value: _is_number(value) and 1e-12 <= value <= 1e12, "1e-12 to 1e12")),
    "l1_ratio": (lambda value: _is_number(value) and 0 <= value <= 1, "0 to 1"),
    "fit_intercept": _FLAG,
    "standardise": _FLAG,
    "tol": (lambda value: _is_number(value) and 1e-9 <= value <= 1, "1e-9 to 1"),
    "max_iter": _integer(1, 1000),
    "protocol": _one_of(LINEAR_PROTOCOLS),
}
