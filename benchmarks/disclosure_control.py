"""What disclosure control of a feature party costs: ``python -m benchmarks.disclosure_control --trees 50``.

Workload ``w1`` of `benchmarks.train`, both parties in one process with real bytes and a key of 2048 bits. For
each pair of limits: test ROC-AUC, pairs of children asked for and withheld, bins left, where trees part from
xgboost's on the pooled table, and how far the margin of any training row is from xgboost's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
import numpy.typing as npt
import xgboost

from benchmarks.train import DATA, SETTINGS, w1
from scenarios import pooled_table
from vfl.aggregation.table import LabelTable
from vfl.algorithms.trees import messages as m
from vfl.algorithms.trees.compare import compare_trees
from vfl.algorithms.trees.disclosure_control import DisclosurePolicy
from vfl.algorithms.trees.export import to_xgboost_json
from vfl.algorithms.trees.feature_party import TrainingWorker
from vfl.algorithms.trees.label_party import train
from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.parts import TreesFeaturePart
from vfl.crypto.paillier import PrivateKey, generate
from vfl.evaluation import metrics
from vfl.jobs import PROTOCOL
from vfl.psi.alignment import Alignment
from vfl.wire.channel import LoopbackChannel
from vfl.wire.codec import encode
from vfl.wire.message import Message
from vfl.wire.session import FeatureSession, LabelSession

LIMITS = [(1, 1), (2, 5), (3, 5), (5, 1), (5, 20), (10, 50), (20, 100)]
"""Least rows of a bin, and of a node. The first withholds nothing, the second is the default."""


class FeatureParty:
    """A feature party that lives in memory and counts what it was asked for and withheld."""

    memory_limit = 2**32

    def __init__(
        self, columns: npt.NDArray[np.float32], alignment: Alignment, policy: DisclosurePolicy
    ) -> None:
        self._columns, self._alignment = columns, alignment
        self._session: FeatureSession | None = None
        self._worker = TrainingWorker(self, policy=policy)  # type: ignore[arg-type]
        self.asked = self.withheld = self.bins = 0
        self.parts: dict[str, TreesFeaturePart] = {}

    def receive(self, frame: bytes) -> bytes:
        envelope = PROTOCOL.decode_request(frame)
        self._session = self._session or FeatureSession(PROTOCOL, envelope.job)
        return encode(self._session.answer(envelope, self._count))

    def _count(self, request: Message) -> Message:
        reply = self._worker.handle(request)
        if isinstance(reply, m.TrainingOpened):
            self.bins = sum(column.bins for column in reply.columns)
        if isinstance(request, m.GrowLevel) and isinstance(reply, m.LevelGrown):
            self.asked += len(reply.sums)
            self.withheld += sum(not sums.ciphertexts for sums in reply.sums)
        return reply

    def load_alignment(self, alignment_id: str) -> Alignment:
        return self._alignment

    def aligned_columns(self, alignment: Alignment) -> tuple[list[str], npt.NDArray[np.float32]]:
        return [f"x{number}" for number in range(self._columns.shape[1])], self._columns

    def save_part(self, model_id: str, part: TreesFeaturePart) -> None:
        self.parts[model_id] = part

    def load_journal(self, name: str) -> list[bytes]:
        return []

    def start_journal(self, name: str, head: bytes) -> None:
        """Nothing is broken off here."""

    append_journal = start_journal


class Workload:
    """W1 as both parties hold it, and as nobody does: pooled."""

    def __init__(self, data: Path, params: TreeParams) -> None:
        tables = w1(data)
        partner = tables.partner.set_index("id").add_prefix("partner.")
        whole, test = (table.set_index("id").join(partner) for table in (tables.bank, tables.test))
        own = [name for name in tables.bank if name not in ("id", "y")]
        self.ids, columns = list(whole.index), [*own, *partner]
        labels = whole["y"].to_numpy(np.float32)
        self.table = LabelTable(self.ids, own, whole[own].to_numpy(np.float32), labels)
        self.partner = whole[list(partner)].to_numpy(np.float32)
        self.test, self.labels = test[columns].to_numpy(np.float32), test["y"].to_numpy()
        joined = pooled_table.PooledTable(
            len(own), [], whole[columns].to_numpy(np.float32), labels, np.ones(len(whole), bool)
        )
        self.params, self.booster, self.fit = params, pooled_table.train(joined, params), joined.columns


def measure(work: Workload, key: PrivateKey, histogram_rows: int, node_rows: int) -> dict[str, Any]:
    """Train W1 under a pair of limits and return the measured facts."""
    theirs = Alignment.fix("a", "bank", "left", bytes(32), work.ids)
    ours = Alignment.fix("a", "partner", "left", bytes(32), work.ids, range(len(work.ids)))
    party = FeatureParty(
        work.partner, theirs, DisclosurePolicy(node_rows=node_rows, histogram_rows=histogram_rows)
    )
    session = LabelSession(LoopbackChannel({"partner": party.receive}), "partner")
    result = train({"partner": session}, {"partner": ours}, work.table, work.params, key, model_id="m")
    merged = to_xgboost_json(result.part, {"partner": party.parts["m"]})
    differences = compare_trees(merged, work.booster)
    booster = xgboost.Booster(model_file=bytearray(merged))
    scores = booster.inplace_predict(work.test, validate_features=False)
    margins = [
        model.inplace_predict(work.fit, predict_type="margin", validate_features=False)
        for model in (booster, work.booster)
    ]
    return {
        "histogram_rows": histogram_rows,
        "node_rows": node_rows,
        "roc_auc": round(metrics.roc_auc(work.labels, scores), 5),
        "bins": party.bins,
        "asked": party.asked,
        "withheld": party.withheld,
        "equal_trees": min((difference.tree for difference in differences), default=work.params.n_estimators),
        "part_by_a_tie": bool(differences) and all(difference.is_tie for difference in differences),
        "margin_difference": float(np.abs(margins[0] - margins[1]).max()),
    }


@click.command(epilog="Example:\n\n  python -m benchmarks.disclosure_control --trees 50 --json facts.json")
@click.option("--trees", type=click.IntRange(min=1), default=10, show_default=True, help="Trees to train.")
@click.option("--rate", type=float, default=0.3, show_default=True, help="Learning rate.")
@click.option("--data", type=click.Path(path_type=Path), default=DATA, help="Directory of w1_bank.parquet.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the facts there.")
def main(trees: int, rate: float, data: Path, file: Path | None) -> None:
    """Measure what several policies withhold, and what that costs."""
    params = msgspec.structs.replace(SETTINGS, n_estimators=trees, learning_rate=rate)
    work, key, facts = Workload(data, params), generate(2048), []
    for limits in LIMITS:
        facts.append(measure(work, key, *limits))
        click.echo(json.dumps(facts[-1]))
    if file:
        file.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
