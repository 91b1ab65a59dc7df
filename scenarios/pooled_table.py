"""What the institutions could do with all columns in one table: the judge, possible only in a scenario.

Every table is read as the parties read it, so that the judge sees the same rows, columns and keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import xgboost

from parties import config as configuration
from parties.data import connectors, rows
from parties.data.rows import Rows
from parties.storage.model_store import ModelStore
from scenarios.consortium import Consortium
from vfl.aggregation.row_order import common_order
from vfl.aggregation.table import LabelTable
from vfl.algorithms.trees.compare import Difference, compare_trees
from vfl.algorithms.trees.params import TreeParams
from vfl.arrays import Float32


@dataclass(frozen=True)
class PooledTable:
    """Rows of the label party with everybody's columns, the label party's first.

    Attributes:
        own: how many columns are the label party's.
        names: of every column its party and its name there.
        columns: float32 [n, f], NaN where a party does not know the customer.
        labels: float32 [n].
        known: bool [n], customers that every party knows.
    """

    own: int
    names: Sequence[tuple[str, str]]
    columns: Float32
    labels: Float32
    known: npt.NDArray[np.bool_]

    def __getitem__(self, rows: npt.NDArray[np.int64]) -> PooledTable:
        return PooledTable(self.own, self.names, self.columns[rows], self.labels[rows], self.known[rows])


def trained_on(consortium: Consortium, validation_fraction: float = 0.0, seed: int = 0) -> PooledTable:
    """Join all columns to the label party's training rows, in the secret order of its newest alignment.

    XGBoost's quantile sketch depends on the order of rows, and that is the order of the federated one.

    Args:
        validation_fraction: fraction of rows that were kept out of training.
        seed: which rows these are; ``random_state`` of the training.
    """
    config = configuration.load(consortium.path(consortium.label.name))
    label = rows.load(config).label_table
    archive = ModelStore(config)
    _, alignments = archive.load_alignment(archive.latest_alignment(connectors.describe(config)))
    made = list(alignments.values())
    order = common_order(len(label.labels), [label.rows_of(alignment) for alignment in made], made)
    held_out = rows.drawn(label.identifiers, validation_fraction, seed)
    return _join(consortium, label)[order[~held_out[order]]]


def scored(consortium: Consortium, source: Path) -> PooledTable:
    """Join all columns to another labelled file of the label party's, whose rows keep their order."""
    config = configuration.load(consortium.path(consortium.label.name))
    return _join(consortium, rows.load(config.with_source(str(source))).label_table)


def train(table: PooledTable, params: TreeParams, *, own_only: bool = False) -> xgboost.Booster:
    """Train xgboost itself with the federated model's parameters."""
    columns = table.columns[:, : table.own] if own_only else table.columns
    data = xgboost.QuantileDMatrix(columns, table.labels, max_bin=params.max_bin)
    names = ("objective", "max_depth", "learning_rate", "gamma", "min_child_weight", "reg_lambda", "max_bin")
    offered = {name: getattr(params, name) for name in names}
    return xgboost.train(offered | {"tree_method": "hist"}, data, num_boost_round=params.n_estimators)


def predict(booster: xgboost.Booster, columns: Float32) -> Float32:
    """Score rows with as many of the first columns as the booster was trained on."""
    scores: Float32 = booster.predict(xgboost.DMatrix(columns[:, : booster.num_features()]))
    return scores


def read_scores(scores: Path) -> Float32:
    """Read the scores that ``vfl score`` wrote, float32 [n]."""
    # The nine digits of a float32 come back to it, whatever the last bit of the double that they are read as.
    values: Float32 = pd.read_csv(scores)["score"].to_numpy(np.float32)
    return values


def differences(exported: Path, booster: xgboost.Booster) -> list[Difference]:
    """Return where the merged federated model parts from a booster on the pooled table."""
    return compare_trees(exported.read_bytes(), booster)


def _join(consortium: Consortium, label: LabelTable) -> PooledTable:
    names = [part.name for part in consortium.features]
    parts = [rows.load(configuration.load(consortium.path(name))) for name in names]
    shown = zip(
        (consortium.label.name, *names), (label.names, *(part.table.names for part in parts)), strict=True
    )
    parts_columns = [_columns_of(label.identifiers, part) for part in parts]
    return PooledTable(
        own=label.columns.shape[1],
        names=[(name, column) for name, columns in shown for column in columns],
        columns=np.hstack([label.columns, *(columns for columns, _ in parts_columns)]),
        labels=label.labels,
        known=np.all([known for _, known in parts_columns], axis=0),
    )


def _columns_of(identifiers: Sequence[str], part: Rows) -> tuple[Float32, npt.NDArray[np.bool_]]:
    """Return a party's columns [n, f] for these customers, and which of them it knows [n]."""
    row_of = dict(zip(part.identifiers.keys, part.identifiers.rows.tolist(), strict=True))
    row = np.array([row_of.get(identifier, -1) for identifier in identifiers])
    known = row >= 0
    columns = np.full((len(row), part.table.columns.shape[1]), np.nan, dtype=np.float32)
    columns[known] = part.table.columns[row[known]]
    return columns, known
