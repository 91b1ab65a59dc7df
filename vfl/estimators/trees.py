"""The federated booster behind scikit-learn's interface, for the label party's notebooks and pipelines."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin

from vfl.algorithms.trees.model_type import TreesFacts
from vfl.algorithms.trees.params import TreeParams
from vfl.crypto.paillier import Profile
from vfl.estimators.federation import Federation, label_table, reachable
from vfl.psi.alignment import Alignment
from vfl.scoring.label_party import score
from vfl.wire.session import new_job


class FederatedXGBClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Boosted trees over the columns of several institutions; parameters are XGBoost's.

    Rows are identified by the index of ``X``, which holds canonical customer keys. Customers that a
    feature party does not know have missing values there.

    Args:
        federation: the other parties; see `vfl.estimators.federation.Federation`.
        profile: randomness of encryption, see `vfl.crypto.paillier.Encryptor`.
        model_id: name of the model; a fresh one for each fit by default. Give one where people have to
            approve contracts, so that fitting again goes on with the one that they approved.
        others: as in `vfl.algorithms.trees.params.TreeParams`.

    Attributes:
        model_id_: the name under which every party stores its part.
        part_: the label party's part.
        classes_: always 0 and 1.
        feature_names_: the label party's columns, then each feature party's.
        feature_importances_: mean gain by feature, summing to 1, in the order of ``feature_names_``.
        evals_result_: the watched metric after each tree.
        best_iteration_: number of the best tree where rows were kept out, else None.
    """

    def __init__(
        self,
        federation: Federation | None = None,
        *,
        n_estimators: int = 100,
        max_depth: int = 6,
        learning_rate: float = 0.3,
        gamma: float = 0.0,
        min_child_weight: float = 1.0,
        reg_lambda: float = 1.0,
        reg_alpha: float = 0.0,
        max_delta_step: float = 0.0,
        scale_pos_weight: float = 1.0,
        subsample: float = 1.0,
        data_sample_strategy: str = "bagging",
        top_rate: float = 0.2,
        other_rate: float = 0.1,
        colsample_bytree: float = 1.0,
        colsample_bylevel: float = 1.0,
        colsample_bynode: float = 1.0,
        max_bin: int = 256,
        base_score: float | None = None,
        eval_metric: str | None = None,
        early_stopping_rounds: int | None = None,
        random_state: int = 0,
        profile: Profile = "short",
        model_id: str | None = None,
    ) -> None:
        self.federation = federation
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.learning_rate = learning_rate
        self.gamma = gamma
        self.min_child_weight = min_child_weight
        self.reg_lambda = reg_lambda
        self.reg_alpha = reg_alpha
        self.max_delta_step = max_delta_step
        self.scale_pos_weight = scale_pos_weight
        self.subsample = subsample
        self.data_sample_strategy = data_sample_strategy
        self.top_rate = top_rate
        self.other_rate = other_rate
        self.colsample_bytree = colsample_bytree
        self.colsample_bylevel = colsample_bylevel
        self.colsample_bynode = colsample_bynode
        self.max_bin = max_bin
        self.base_score = base_score
        self.eval_metric = eval_metric
        self.early_stopping_rounds = early_stopping_rounds
        self.random_state = random_state
        self.profile = profile
        self.model_id = model_id

    def fit(
        self,
        X: pd.DataFrame,
        y: npt.ArrayLike,
        *,
        sample_weight: npt.ArrayLike | None = None,
        eval_rows: npt.ArrayLike | None = None,
    ) -> FederatedXGBClassifier:
        """Train with the other parties.

        Args:
            X: the label party's columns, indexed by canonical customer key.
            y: labels 0 and 1.
            sample_weight: weights of the rows; they do not move cut points.
            eval_rows: booleans; rows kept out of training on which early stopping is judged.

        Raises:
            DataError: the labels or columns cannot be used.
            PeerError: another party failed.
        """
        federation = reachable(self.federation)
        table = label_table(X, y, sample_weight)
        self.model_id_ = self.model_id or new_job()
        params = self.tree_params()
        result = federation.train(
            self.model_id_,
            table,
            params,
            watch=None if eval_rows is None else np.asarray(eval_rows, dtype=np.bool_),
            profile=self.profile,
        )
        facts = msgspec.convert(result.facts, TreesFacts, from_attributes=True)
        self.part_ = result.part
        self.classes_ = np.array([0, 1])
        self.feature_names_ = list(facts.importances)
        self.feature_importances_ = np.array(list(facts.importances.values()), dtype=np.float32)
        self.evals_result_ = result.history
        self.best_iteration_ = result.part.best_iteration
        return self

    def predict_proba(
        self, X: pd.DataFrame, *, alignments: Mapping[str, Alignment] | None = None
    ) -> npt.NDArray[np.float32]:
        """Return the probabilities [n, 2] of label 0 and label 1.

        Args:
            X: the label party's columns, indexed by canonical customer key.
            alignments: of these rows; the federation's own where they cover the same customers.
        """
        federation = reachable(self.federation)
        alignments = alignments or federation.alignments
        scores = score(
            federation.to_score(self.model_id_, alignments),
            alignments,
            self.part_,
            label_table(X),
            model_id=self.model_id_,
        )
        return np.stack([np.float32(1) - scores, scores], axis=1)

    def predict(
        self, X: pd.DataFrame, *, alignments: Mapping[str, Alignment] | None = None
    ) -> npt.NDArray[np.int64]:
        """Return 1 where the probability exceeds one half, else 0."""
        return (self.predict_proba(X, alignments=alignments)[:, 1] > 0.5).astype(np.int64)

    def tree_params(self) -> TreeParams:
        """Return the parameters as training takes them; raises ParameterError."""
        ours = self.get_params(deep=False)
        return TreeParams(**{name: ours[name] for name in TreeParams.__struct_fields__ if name in ours})
