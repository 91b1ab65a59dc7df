"""Early stopping on rows kept out of training, as XGBoost's ``early_stopping_rounds`` does it."""

from __future__ import annotations

from collections.abc import Sequence

from vfl.algorithms.trees.params import TreeParams
from vfl.arrays import Float32
from vfl.evaluation.metrics import METRIC_OF_OBJECTIVE, METRICS


def metric_name(params: TreeParams) -> str:
    """Return the name of the metric that is watched."""
    return params.eval_metric or METRIC_OF_OBJECTIVE[params.objective]


class EarlyStopping:
    """Follows the watched metric, tree by tree.

    Args:
        params: names the metric and the rounds without improvement that end training.
        labels, weights: of the watched rows; none where nothing is watched.

    Attributes:
        history: the metric after each tree.
        best: number of the best tree so far, None where nothing is watched.
    """

    def __init__(self, params: TreeParams, labels: Float32, weights: Float32 | None) -> None:
        self.name = metric_name(params)
        self._metric = METRICS[self.name]
        self._rounds = params.early_stopping_rounds
        self._labels, self._weights = labels, weights
        self.history: list[float] = []
        self.best: int | None = None

    def take(self, predictions: Float32) -> bool:
        """Record the predictions for the watched rows after one more tree; True where training should end."""
        if not len(self._labels):
            return False
        return self.record(self._metric.measure(self._labels, predictions, self._weights))

    def record(self, latest: float) -> bool:
        """Record the metric itself after one more tree; True where training should end."""
        self.history.append(latest)
        best = None if self.best is None else self.history[self.best]
        if best is None or (latest > best if self._metric.maximise else latest < best):
            self.best = len(self.history) - 1
        return self._rounds is not None and len(self.history) - 1 - (self.best or 0) >= self._rounds

    def replay(self, history: Sequence[float]) -> bool:
        """Record the metric after each tree of a training that goes on; True where it should end."""
        return any([self.record(latest) for latest in history][-1:])

    def trees_kept(self, grown: int) -> int:
        """How many of the grown trees the model keeps: up to the best one where training may stop early."""
        return grown if self._rounds is None or self.best is None else self.best + 1

    def latest(self) -> str:
        """The metric as a short text for a progress line."""
        return f"{self.name} {self.history[-1]:.5f}" if self.history else ""
