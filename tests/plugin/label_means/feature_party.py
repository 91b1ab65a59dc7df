"""The feature party's side: it adds up ciphertexts by the bins of its columns, and stores cut points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.plugin.label_means import messages as m
from tests.plugin.label_means.bins import bin_numbers, cut_points
from tests.plugin.label_means.parts import LabelMeansFeaturePart
from vfl.aggregation.bitmap import from_bitmap
from vfl.aggregation.ciphertext_stream import CiphertextReceiver
from vfl.aggregation.group_sums import EncryptedHistogram, plan
from vfl.aggregation.packed_sums import SumPacker
from vfl.aggregation.store import FeatureStore, open_rows
from vfl.arrays import Bins, Integers, Limbs
from vfl.crypto.packing import GradientPacking
from vfl.crypto.paillier import PublicKey
from vfl.errors import NotAllowed, OutOfRange
from vfl.wire.message import Column
from vfl.wire.worker import Answer, Ended, Phase, answers


@dataclass(frozen=True)
class Job:
    """What the feature party lets one job have."""

    store: FeatureStore
    show_columns: bool
    min_bin_rows: int


class Opening(Phase):
    """Before the job is opened."""

    def __init__(self, job: Job) -> None:
        self._job = job

    @answers(m.OpenLabelMeans)
    def open(self, request: m.OpenLabelMeans) -> Answer:
        """Bin the columns.

        Raises:
            NotAligned: the parties' ordered rows differ.
            NotAllowed: a bin has too few rows for its sums to leave.
            OutOfRange: the job packs fewer rows than it adds.
        """
        names, columns = open_rows(self._job.store, request.alignment, request.fingerprint)
        fit = columns[from_bitmap(request.fit_rows, len(columns))]
        if not len(fit) <= request.packed_rows:
            raise OutOfRange("the job packs fewer rows than it adds")
        cuts = cut_points(fit, request.bins)
        numbers, n_bins = bin_numbers(fit, cuts), np.array([len(ends) + 1 for ends in cuts])
        rows = [np.bincount(of_column, minlength=count)[:count].min()
                for of_column, count in zip(numbers.T, n_bins, strict=True)]  # fmt: skip
        if min(rows) < self._job.min_bin_rows:
            raise NotAllowed(f"a bin has fewer than {self._job.min_bin_rows} rows; ask for fewer bins")
        part = LabelMeansFeaturePart(columns=names, cuts=cuts)
        adding = Adding(self._job, request, part, numbers, n_bins)
        shown = names if self._job.show_columns else [""] * len(names)
        opened = [Column(name, int(count)) for name, count in zip(shown, n_bins, strict=True)]
        return m.LabelMeansOpened(opened), adding


class Adding(Phase):
    """While ciphertexts come: each chunk is added to the sums of its bins at once."""

    def __init__(
        self,
        job: Job,
        opening: m.OpenLabelMeans,
        part: LabelMeansFeaturePart,
        numbers: Bins,
        n_bins: Integers,
    ) -> None:
        self._job, self._model, self._part, self._rows = job, opening.model, part, len(numbers)
        key = PublicKey.from_bytes(opening.public_key)
        self._modulus = key.modulus
        self._packer = SumPacker(key, GradientPacking(0, opening.packed_rows, 1.0, 1.0))
        self._receiver = CiphertextReceiver(key, self._rows, self._add)
        self._histogram = EncryptedHistogram(self._modulus, plan(numbers, n_bins, np.arange(len(n_bins))))
        one = np.zeros((int(n_bins.sum()), self._modulus.limbs), dtype=np.uint64)
        one[:, 0] = 1
        self._sums = self._modulus.to_residues(one)

    @answers(m.EncryptedLabels)
    def receive(self, request: m.EncryptedLabels) -> Answer:
        """Take a chunk; raises as `CiphertextReceiver.receive`."""
        return m.EncryptedLabelsReceived(self._receiver.receive(request)), self

    @answers(m.SumLabels)
    def sum(self, request: m.SumLabels) -> Answer:
        """Return the sums; raises OutOfSequence where rows are still to come."""
        self._receiver.check_complete()
        return m.LabelSums(self._packer.pack(self._sums, self._rows)), Added(
            self._job, self._model, self._part
        )

    def _add(self, first: int, residues: Limbs) -> None:
        index = np.arange(len(residues), dtype=np.int64)
        self._sums = self._modulus.multiply(
            self._sums, self._histogram.sum_by_bin(residues, index, index + first)
        )


class Added(Phase):
    """After the sums have left."""

    def __init__(self, job: Job, model: str, part: LabelMeansFeaturePart) -> None:
        self._job, self._model, self._part = job, model, part

    @answers(m.CloseLabelMeans)
    def close(self, request: m.CloseLabelMeans) -> Answer:
        """Store the part."""
        self._job.store.save_part(self._model, self._part)
        return m.LabelMeansClosed(), Ended()
