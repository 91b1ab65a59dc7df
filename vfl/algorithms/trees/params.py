"""Parameters of boosted trees, under XGBoost's names and defaults.

Source: the parameter reference of XGBoost 3.x. Growth is depth-wise only, so ``max_leaves`` and
``grow_policy`` are not offered.
"""

from __future__ import annotations

import msgspec

from vfl.ranges import (
    FRACTION,
    NOT_NEGATIVE,
    NUMBER,
    POSITIVE,
    Range,
    integer,
    is_number,
    mistakes,
    one_of,
    or_none,
    refuse,
)

OBJECTIVES = ("binary:logistic", "reg:squarederror")
SAMPLE_STRATEGIES = ("bagging", "goss")
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
        subsample: fraction of the training rows drawn for each tree.
        data_sample_strategy: how rows are drawn for each tree: ``bagging`` draws ``subsample`` of them
            evenly; ``goss`` (LightGBM's gradient-based one-side sampling) keeps the ``top_rate`` of rows
            with the largest gradients, draws ``other_rate`` of all from the rest and scales those up.
            Rows that are not drawn are neither encrypted nor sent.
        top_rate, other_rate: fractions of all training rows, for ``goss`` only; together at most 1.
        colsample_bytree: fraction of all columns drawn for each tree.
        colsample_bylevel: fraction of the tree's columns drawn for each level.
        colsample_bynode: fraction of the level's columns drawn for each node.
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
        errors = mistakes(self, _RANGES)
        is_probability = self.objective == "binary:logistic" and is_number(self.base_score)
        if is_probability and not 0 < self.base_score < 1:  # type: ignore[operator]
            errors.append(f"base_score={self.base_score!r} (allowed: above 0 and below 1)")
        if not errors and self.data_sample_strategy == "goss":
            both = self.top_rate + self.other_rate
            if both > 1:
                errors.append(f"top_rate + other_rate={both!r} (allowed: at most 1)")
            if self.subsample < 1:
                errors.append(f"subsample={self.subsample!r} (allowed with goss: 1, goss draws the rows)")
        refuse(errors)


_RANGES: dict[str, Range] = {
    "n_estimators": integer(1, 100_000),
    "max_depth": integer(1, 30),
    "learning_rate": FRACTION,
    "gamma": NOT_NEGATIVE,
    "min_child_weight": NOT_NEGATIVE,
    "reg_lambda": NOT_NEGATIVE,
    "reg_alpha": NOT_NEGATIVE,
    "max_delta_step": NOT_NEGATIVE,
    "scale_pos_weight": POSITIVE,
    "subsample": FRACTION,
    "data_sample_strategy": one_of(SAMPLE_STRATEGIES),
    "top_rate": FRACTION,
    "other_rate": FRACTION,
    "colsample_bytree": FRACTION,
    "colsample_bylevel": FRACTION,
    "colsample_bynode": FRACTION,
    "max_bin": integer(2, 65_535),
    "base_score": or_none(NUMBER),
    "objective": one_of(OBJECTIVES),
    "eval_metric": or_none(one_of(EVAL_METRICS)),
    "early_stopping_rounds": or_none(integer(1, 100_000)),
    "random_state": integer(0, 2**63 - 1),
}
