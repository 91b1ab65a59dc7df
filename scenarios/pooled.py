"""What the institutions could do with all columns in one table: the judge, possible only in a scenario.

Every table is read as the parties read it, so that the judge sees the same rows, columns and keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xgboost

from parties import config as configuration
from parties import connectors, rows
from parties.archive import Archive
from parties.config import Config
from parties.rows import Rows
from scenarios.consortium import Consortium
from vfl.params import TreeParams
from vfl.psi.alignment import Alignment
from vfl.trees.compare import Difference, compare_trees

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Pooled:
    """Rows of the label party with everybody's columns, the label party's first.

    Attributes:
        own: how many columns are the label party's.
        columns: float32 [n, f], NaN where a party does not know the customer.
        labels: float32 [n].
        known: bool [n], customers that every party knows.
        by_owner: the same columns, each in the row order in which its owner takes cut points, missing
            rows last. XGBoost's quantile sketch depends on that order where values are many.
    """

    own: int
    columns: Float32
    labels: Float32
    known: npt.NDArray[np.bool_]
    by_owner: Float32


def pool(consortium: Consortium, source: Path | None = None) -> Pooled:
    """Join all columns to the label party's rows, or to those of another labelled file of its."""
    config = configuration.load(consortium.path(consortium.label.name))
    label = rows.load(config if source is None else config.with_source(str(source))).label_table
    names = [part.name for part in consortium.features]
    parts = {name: rows.load(configuration.load(consortium.path(name))) for name in names}
    found = [_columns_of(label.identifiers, part) for part in parts.values()]
    aligned = _aligned(config)
    ordered = [_columns_of(aligned[name].identifiers, part)[0] for name, part in parts.items()]
    return Pooled(
        own=label.columns.shape[1],
        columns=np.hstack([label.columns, *(columns for columns, _ in found)]),
        labels=label.labels,
        known=np.all([mask for _, mask in found], axis=0),
        by_owner=_side_by_side([label.columns, *ordered]),
    )


def train(pooled: Pooled, params: TreeParams, *, own_only: bool = False) -> xgboost.Booster:
    """Train xgboost itself with the federated model's parameters and cut points."""
    width = pooled.own if own_only else pooled.columns.shape[1]
    cuts = xgboost.QuantileDMatrix(pooled.by_owner[:, :width], max_bin=params.max_bin)
    data = xgboost.QuantileDMatrix(pooled.columns[:, :width], pooled.labels, max_bin=params.max_bin, ref=cuts)
    names = ("objective", "max_depth", "learning_rate", "gamma", "min_child_weight", "reg_lambda", "max_bin")
    offered = {name: getattr(params, name) for name in names}
    return xgboost.train(offered | {"tree_method": "hist"}, data, num_boost_round=params.n_estimators)


def predict(booster: xgboost.Booster, columns: Float32) -> Float32:
    """Score rows with as many of the first columns as the booster was trained on."""
    scores: Float32 = booster.predict(xgboost.DMatrix(columns[:, : booster.num_features()]))
    return scores


def differences(exported: Path, booster: xgboost.Booster) -> list[Difference]:
    """Return where the merged federated model parts from a booster on the pooled table."""
    return compare_trees(exported.read_bytes(), booster)


def _columns_of(identifiers: Sequence[str], part: Rows) -> tuple[Float32, npt.NDArray[np.bool_]]:
    """Return a party's columns [n, f] for these customers, and which of them it knows [n]."""
    row_of = dict(zip(part.identifiers.keys, part.identifiers.rows.tolist(), strict=True))
    at = np.array([row_of.get(identifier, -1) for identifier in identifiers])
    known = at >= 0
    columns = np.full((len(at), part.table.columns.shape[1]), np.nan, dtype=np.float32)
    columns[known] = part.table.columns[at[known]]
    return columns, known


def _aligned(config: Config) -> dict[str, Alignment]:
    """Return the newest alignment of the label party's own data with each feature party."""
    archive = Archive(config)
    return archive.load_alignment(archive.latest_alignment(connectors.describe(config)))[1]


def _side_by_side(parts: Sequence[Float32]) -> Float32:
    """Return tables beside each other, the shorter ones filled up with NaN."""
    rows = max(len(part) for part in parts)
    return np.hstack(
        [np.pad(part, ((0, rows - len(part)), (0, 0)), constant_values=np.nan) for part in parts]
    )
