"""What the guards of a feature party cost: ``python -m benchmarks.guards --trees 50 --rate 0.1``.

Workload ``w1`` of `benchmarks.train`, both parties in one process with real bytes and a key of 2048 bits. For
each pair of limits: test ROC-AUC, pairs of children asked for and withheld, bins merged, and how many of the
first trees are xgboost's on the pooled table.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import xgboost

from benchmarks.train import DATA, SETTINGS, w1
from scenarios import pooled
from vfl import metrics
from vfl.crypto.paillier import PrivateKey, generate
from vfl.model import FeatureShare
from vfl.params import TreeParams, with_changes
from vfl.psi.alignment import Alignment
from vfl.scoring.kinds import merged
from vfl.table import LabelTable
from vfl.trees.compare import compare_trees
from vfl.trees.feature_party import TrainingWorker
from vfl.trees.guard import Guard
from vfl.trees.label_party import train
from vfl.wire import messages as m
from vfl.wire.channel import LoopbackChannel
from vfl.wire.codec import decode_request, encode
from vfl.wire.session import FeatureSession, LabelSession

LIMITS = [(1, 1), (3, 5), (5, 1), (5, 20), (10, 50), (20, 100)]
"""Least rows of a bin, and of a node. The first guards nothing, the second is the default."""


class Partner:
    """A feature party that lives in memory and counts what it was asked for and withheld."""

    memory_limit = 2**32

    def __init__(self, columns: npt.NDArray[np.float32], alignment: Alignment, guard: Guard) -> None:
        self._columns, self._alignment = columns, alignment
        self._session: FeatureSession | None = None
        self._worker = TrainingWorker(self, guard=guard)  # type: ignore[arg-type]
        self.asked = self.withheld = self.bins = 0
        self.shares: dict[str, FeatureShare] = {}

    def receive(self, frame: bytes) -> bytes:
        envelope = decode_request(frame)
        self._session = self._session or FeatureSession(envelope.job)
        return encode(self._session.answer(envelope, self._count))

    def _count(self, request: m.Message) -> m.Message:
        reply = self._worker.handle(request)
        if isinstance(reply, m.TrainingOpened):
            self.bins = sum(column.bins for column in reply.columns)
        if isinstance(request, m.GrowLevel) and isinstance(reply, m.LevelGrown):
            self.asked += len(reply.sums)
            self.withheld += sum(not of.ciphertexts for of in reply.sums)
        return reply

    def load_alignment(self, alignment_id: str) -> Alignment:
        return self._alignment

    def aligned_columns(self, alignment: Alignment) -> tuple[list[str], npt.NDArray[np.float32]]:
        return [f"x{number}" for number in range(self._columns.shape[1])], self._columns

    def save_share(self, model_id: str, share: FeatureShare) -> None:
        self.shares[model_id] = share

    def load_draft(self, name: str) -> list[bytes]:
        return []

    def start_draft(self, name: str, head: bytes) -> None:
        """Nothing is broken off here."""

    append_draft = start_draft


def measure(data: Path, params: TreeParams, limits: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """Train W1 once under each pair of limits and return the measured facts."""
    workload, key = w1(data), generate(2048)
    names = [name for name in workload.bank if name not in ("id", "y")]
    partner = workload.partner.set_index("id")
    whole = workload.bank.set_index("id").join(partner.add_prefix("partner."))
    test = workload.test.set_index("id").join(partner.add_prefix("partner."))
    columns = [*names, *(f"partner.{name}" for name in partner)]
    labels = whole["y"].to_numpy(np.float32)
    joined = pooled.Pooled(whole[columns].to_numpy(np.float32), labels, len(names))
    booster = pooled.train(joined, params)
    ids = list(whole.index)
    table = LabelTable(ids, names, whole[names].to_numpy(np.float32), labels)
    facts = []
    for histogram_rows, node_rows in limits:
        theirs = Alignment.fix("a", "bank", "left", bytes(32), ids)
        ours = Alignment.fix("a", "partner", "left", bytes(32), ids, range(len(ids)))
        guard = Guard(node_rows=node_rows, histogram_rows=histogram_rows)
        party = Partner(partner.loc[ids].to_numpy(np.float32), theirs, guard)
        sessions = {"partner": LabelSession(LoopbackChannel({"partner": party.receive}), "partner")}
        result = train(sessions, {"partner": ours}, table, params, key, model_id="m")
        model = merged(result.share, {"partner": party.shares["m"]}, "bank")
        unlike = [at.tree for at in compare_trees(model, booster) if not at.is_tie]
        ties = [at.tree for at in compare_trees(model, booster) if at.is_tie]
        scores = pooled.predict(xgboost.Booster(model_file=bytearray(model)), test[columns].to_numpy(np.float32))
        facts.append(
            {
                "histogram_rows": histogram_rows,
                "node_rows": node_rows,
                "bins": party.bins,
                "asked": party.asked,
                "withheld": party.withheld,
                "equal_trees": min(unlike, default=params.n_estimators),
                "first_tie": min(ties, default=None),
                "roc_auc": round(metrics.roc_auc(test["y"].to_numpy(), scores), 5),
            }
        )
        click.echo(json.dumps(facts[-1]), err=True)
    return facts
