"""Rescales the margins of a model of the label party alone, which scores in place of the joint model.

The link is a straight line, ``scale * margin + offset``. For ``binary:logistic`` it is Platt scaling (Platt,
Probabilistic outputs for support vector machines, 1999) towards the joint model's probabilities in place of
labels: it minimises the cross-entropy against them. For ``reg:squarederror`` it is least squares, for
``count:poisson`` least squares towards logarithms of counts. Ranks stay those
of the model alone; its probabilities are corrected where they would be too sure or too cautious.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from vfl.arrays import Float32, Float64, Floats
from vfl.errors import DataError

MAX_STEPS = 100
TOLERANCE = 1e-12  # of the loss, per row


class PlattScaling(Struct, frozen=True):
    """A straight line from one model's margins to the scale of another's."""

    scale: float
    offset: float

    def margins(self, margins: Floats) -> Float32:
        """The linked margins float32 [n]: computed in float64, rounded once."""
        return (margins.astype(np.float64) * self.scale + self.offset).astype(np.float32)


def fit(margins: Floats, joint: Float32, objective: str) -> PlattScaling:
    """Fit the margins of a model to the scores of the joint one.

    Args:
        margins: [n], of the model alone.
        joint: float32 [n], scores of the joint model on the same rows: probabilities for
            ``binary:logistic``, values for ``reg:squarederror``, counts for ``count:poisson``.
        objective: of both.

    Raises:
        DataError: there is no row.
    """
    if not len(margins):
        raise DataError("the two models need rows to be compared on, and there are none")
    design = np.column_stack([margins.astype(np.float64), np.ones(len(margins))])
    target = joint.astype(np.float64)
    if objective == "binary:logistic":
        solution = _logistic(design, target)
    else:
        if objective == "count:poisson":
            target = np.log(np.maximum(target, np.finfo(np.float32).tiny))
        solution = np.asarray(np.linalg.lstsq(design, target, rcond=None)[0], dtype=np.float64)
    return PlattScaling(float(solution[0]), float(solution[1]))


def _logistic(design: Float64, target: Float64) -> Float64:
    """Newton's method from the line that changes nothing; a step that does not help is halved."""
    line = np.array([1.0, 0.0])
    loss = _cross_entropy(design @ line, target)
    for _ in range(MAX_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ line, -500, 500)))
        gradient = design.T @ (p - target)
        hessian = (design * (p * (1 - p))[:, None]).T @ design
        # Least squares takes the shortest step where rows do not determine the line, as when all are alike.
        step = np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        after = _cross_entropy(design @ (line - step), target)
        while after > loss and np.abs(step).max() > TOLERANCE:
            step /= 2
            after = _cross_entropy(design @ (line - step), target)
        if not loss - after > TOLERANCE:
            break
        line, loss = line - step, after
    return line


def _cross_entropy(margin: Float64, target: Float64) -> float:
    return float(np.mean(np.logaddexp(0, margin) - target * margin))
