"""Federated linear models behind scikit-learn's interface, for the label party's notebooks and pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from vfl.crypto.paillier import Profile
from vfl.estimators.federation import Federation, label_table, reachable
from vfl.linear_model.model_type import LinearFacts
from vfl.linear_model.params import LinearParams
from vfl.psi.alignment import Alignment
from vfl.scoring.label_party import score
from vfl.wire.session import new_job


class _FederatedLinear(BaseEstimator):  # type: ignore[misc]
    """Linear models over the columns of several institutions; parameters are scikit-learn's.

    Rows are identified by the index of ``X``, which holds canonical customer keys. The columns of customers
    that a feature party does not know count as their means.

    Args:
        federation: the other parties; see `vfl.estimators.federation.Federation`.
        profile: randomness of encryption, see `vfl.crypto.paillier.Encryptor`.
        model_id: name of the model; a fresh one for each fit by default. Give one where people have to
            approve contracts, so that fitting again goes on with the one that they approved.
        others: as in `vfl.linear_model.params.LinearParams`.

    Attributes:
        model_id_: the name under which every party stores its part.
        part_: the label party's part.
        feature_names_in_: the label party's columns.
        coef_, intercept_: float64 [columns] of the label party's columns as they are scaled, and the
            constant; a feature party's coefficients stay there.
        n_iter_: rounds.
        converged_: whether no coefficient would have moved by more than the tolerance.
    """

    _loss: ClassVar[str]

    def __init__(
        self,
        federation: Federation | None = None,
        *,
        C: float | None = 1.0,
        l1_ratio: float = 0.0,
        fit_intercept: bool = True,
        standardise: bool = True,
        tol: float = 1e-5,
        max_iter: int = 30,
        protocol: str = "plain",
        profile: Profile = "short",
        model_id: str | None = None,
    ) -> None:
        self.federation = federation
        self.C = C
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.standardise = standardise
        self.tol = tol
        self.max_iter = max_iter
        self.protocol = protocol
        self.profile = profile
        self.model_id = model_id

    def fit(self, X: pd.DataFrame, y: npt.ArrayLike, *, sample_weight: npt.ArrayLike | None = None) -> Any:
        """Train with the other parties.

        Args:
            X: the label party's columns, indexed by canonical customer key.
            y: labels.
            sample_weight: weights of the rows.

        Raises:
            DataError: the labels or columns cannot be used.
            PeerError: another party failed.
        """
        federation = reachable(self.federation)
        self.model_id_ = self.model_id or new_job()
        table, params = label_table(X, y, sample_weight), self.linear_params()
        result = federation.train(self.model_id_, table, params, profile=self.profile)
        facts = msgspec.convert(result.facts, LinearFacts, from_attributes=True)
        self.part_ = result.part
        self.feature_names_in_ = np.array([str(column) for column in X.columns], dtype=object)
        self.coef_ = np.array(result.part.terms.coefficients)
        self.intercept_ = result.part.intercept
        self.n_iter_ = len(result.history)
        self.converged_ = facts.converged
        return self

    def linear_params(self) -> LinearParams:
        """Return the parameters as training takes them; raises ParameterError."""
        ours = self.get_params(deep=False)
        arguments = {name: ours[name] for name in LinearParams.__struct_fields__ if name in ours}
        return LinearParams(loss=self._loss, **arguments)

    def _means(self, X: pd.DataFrame, alignments: Mapping[str, Alignment] | None) -> npt.NDArray[np.float32]:
        federation = reachable(self.federation)
        alignments = alignments or federation.alignments
        return score(
            federation.to_score(self.model_id_, alignments),
            alignments,
            self.part_,
            label_table(X),
            model_id=self.model_id_,
        )


class FederatedLogisticRegression(ClassifierMixin, _FederatedLinear):  # type: ignore[misc]
    __doc__ = _FederatedLinear.__doc__

    _loss = "logistic"

    def fit(
        self, X: pd.DataFrame, y: npt.ArrayLike, *, sample_weight: npt.ArrayLike | None = None
    ) -> FederatedLogisticRegression:
        """Train with the other parties on labels 0 and 1; arguments and errors as for the base class."""
        super().fit(X, y, sample_weight=sample_weight)
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(
        self, X: pd.DataFrame, *, alignments: Mapping[str, Alignment] | None = None
    ) -> npt.NDArray[np.float32]:
        """Return the probabilities [n, 2] of label 0 and label 1.

        Args:
            X: the label party's columns, indexed by canonical customer key.
            alignments: of these rows; the federation's own where they cover the same customers.
        """
        scores = self._means(X, alignments)
        return np.stack([np.float32(1) - scores, scores], axis=1)

    def predict(
        self, X: pd.DataFrame, *, alignments: Mapping[str, Alignment] | None = None
    ) -> npt.NDArray[np.int64]:
        """Return 1 where the probability exceeds one half, else 0."""
        return (self.predict_proba(X, alignments=alignments)[:, 1] > 0.5).astype(np.int64)


class _FederatedRegressor(RegressorMixin, _FederatedLinear):  # type: ignore[misc]
    def predict(
        self, X: pd.DataFrame, *, alignments: Mapping[str, Alignment] | None = None
    ) -> npt.NDArray[np.float32]:
        """Return the expected value of each row; arguments as for ``predict_proba`` of a classifier."""
        return self._means(X, alignments)


class FederatedLinearRegression(_FederatedRegressor):
    """Squared loss; scikit-learn's ``Ridge`` has ``alpha = 1 / C``. Otherwise as the logistic model."""

    _loss = "squared"


class FederatedPoissonRegressor(_FederatedRegressor):
    """Poisson loss; scikit-learn has ``alpha = 1 / (C * rows)``. Otherwise as the logistic model."""

    _loss = "poisson"
