"""What estimators with scikit-learn's interface have in common: the other parties, and rows as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from vfl.crypto.paillier import PrivateKey
from vfl.errors import DataError, ParameterError
from vfl.psi.alignment import Alignment
from vfl.table import LabelTable
from vfl.wire.channel import Channel
from vfl.wire.session import LabelSession


@dataclass(frozen=True)
class Federation:
    """What the label party needs to reach the others.

    Attributes:
        channel: carries frames to the feature parties.
        alignments: by feature party, the alignment that covers the rows given to the estimator.
        private_key: the label party's Paillier key.
    """

    channel: Channel
    alignments: Mapping[str, Alignment]
    private_key: PrivateKey

    def sessions(self) -> dict[str, LabelSession]:
        """Return a new conversation with each feature party."""
        return {peer: LabelSession(self.channel, peer) for peer in self.alignments}

    def __sklearn_clone__(self) -> Federation:
        """An estimator and its clones share connections and key."""
        return self


def reachable(federation: Federation | None) -> Federation:
    """Return what an estimator was given; raises ParameterError where that is nothing."""
    if federation is None:
        raise ParameterError("federation is missing: give the estimator a Federation to train with")
    return federation


def label_table(
    X: pd.DataFrame, y: npt.ArrayLike | None = None, sample_weight: npt.ArrayLike | None = None
) -> LabelTable:
    """Return rows as the label party's functions take them.

    Args:
        X: the label party's columns, indexed by canonical customer key.
        y: labels.
        sample_weight: weights of the rows.

    Raises:
        DataError: a customer is there twice.
    """
    if not X.index.is_unique:
        raise DataError("the index of X holds the same customer twice")
    return LabelTable(
        [str(key) for key in X.index],
        [str(column) for column in X.columns],
        X.to_numpy(np.float32),
        np.zeros(0, np.float32) if y is None else np.asarray(y, dtype=np.float32),
        None if sample_weight is None else np.asarray(sample_weight, dtype=np.float32),
    )
