"""What estimators with scikit-learn's interface have in common: the other parties, and rows as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from vfl.aggregation.table import LabelTable
from vfl.algorithms.descriptor import Trained, TrainingInputs
from vfl.algorithms.registry import ALGORITHMS
from vfl.arrays import Bool
from vfl.crypto.paillier import PrivateKey, Profile
from vfl.errors import DataError, ParameterError
from vfl.psi.alignment import Alignment
from vfl.wire.channel import Channel
from vfl.wire.contract import Action
from vfl.wire.session import LabelSession


class Agree(Protocol):
    """Agrees on contracts: returns, by feature party, the digest of one with these terms, if there is one.

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
        agree: agrees on the contracts of jobs.
    """

    channel: Channel
    alignments: Mapping[str, Alignment]
    private_key: PrivateKey
    agree: Agree = unsigned

    def train(
        self, model: str, table: LabelTable, params: Any, *, watch: Bool | None = None, profile: Profile
    ) -> Trained:
        """Train a model with the feature parties, under a contract.

        Args:
            params: of an algorithm, which they choose.
            watch: bool [n], rows kept out of training on which it is judged; none by default.

        Raises:
            ParameterError: no algorithm trains with these parameters.
            DataError: the labels or columns cannot be used.
            PeerError: another party failed.
        """
        algorithm = ALGORITHMS.of_params(params)
        assert algorithm.training is not None  # it was found by its parameters  # noqa: S101
        sessions = self._sessions(
            "train",
            self.alignments,
            model=model,
            rows=len(table.labels),
            key_bits=self.private_key.public_key.bits,
            algorithm=algorithm.name,
            terms=dict(algorithm.training.terms(params)),
        )
        inputs = TrainingInputs(
            sessions=sessions,
            alignments=self.alignments,
            table=table,
            watch=np.zeros(len(table.labels), dtype=np.bool_) if watch is None else watch,
            private_key=self.private_key,
            profile=profile,
            model_id=model,
        )
        return algorithm.training.run(inputs, params)

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
    """Return the federation of an estimator; raises ParameterError where it has none."""
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
