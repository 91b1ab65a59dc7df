"""What estimators with scikit-learn's interface have in common: the other parties, and rows as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from vfl.crypto.paillier import PrivateKey
from vfl.errors import DataError, ParameterError
from vfl.psi.alignment import Alignment
from vfl.table import LabelTable
from vfl.wire.channel import Channel
from vfl.wire.contract import Action
from vfl.wire.session import LabelSession


class Agree(Protocol):
    """Comes to contracts: returns, by feature party, the digest of one with these terms, if there is one.

    ``terms`` are fields of a `vfl.wire.contract.Contract`; raises PeerError.
    """

    def __call__(
        self, action: Action, alignments: Mapping[str, Alignment], **terms: Any
    ) -> Mapping[str, bytes]: ...


def unsigned(action: Action, alignments: Mapping[str, Alignment], **terms: Any) -> Mapping[str, bytes]:
    """Return no contract: parties of one process sign nothing."""
    return {}


@dataclass(frozen=True)
class Federation:
    """What the label party needs to reach the others.

    Attributes:
        channel: carries frames to the feature parties.
        alignments: by feature party, the alignment that covers the rows given to the estimator.
        private_key: the label party's Paillier key.
        agree: comes to the contracts that jobs are under.
    """

    channel: Channel
    alignments: Mapping[str, Alignment]
    private_key: PrivateKey
    agree: Agree = unsigned

    def to_train(self, model: str, rows: int, **terms: Any) -> dict[str, LabelSession]:
        """Return a new conversation with each feature party, under a contract to train a model."""
        bits = self.private_key.public_key.bits
        return self._sessions("train", self.alignments, model=model, rows=rows, key_bits=bits, **terms)

    def to_score(self, model: str, alignments: Mapping[str, Alignment]) -> dict[str, LabelSession]:
        """Return a new conversation with each feature party, under a contract to score customers."""
        return self._sessions("score", alignments, model=model)

    def _sessions(
        self, action: Action, alignments: Mapping[str, Alignment], **terms: Any
    ) -> dict[str, LabelSession]:
        contracts = self.agree(action, alignments, **terms)
        return {
            peer: LabelSession(self.channel, peer, contract=contracts.get(peer, b"")) for peer in alignments
        }

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
