"""The feature party's side of binning, phase by phase: encrypted counts of labels by pre-bin, then weights of
evidence.

Nothing is kept of the ciphertexts: each chunk is summed into the pre-bins as it comes.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from vfl.aggregation.bitmap import from_bitmap
from vfl.aggregation.ciphertext_stream import CiphertextReceiver
from vfl.aggregation.group_sums import EncryptedHistogram, plan
from vfl.aggregation.journal import Journal, binning_journal, terms_digest
from vfl.aggregation.packed_sums import SumPacker
from vfl.aggregation.store import open_rows
from vfl.algorithms.scorecard import messages as m
from vfl.algorithms.scorecard.prebinning import PreBins, pre_bin
from vfl.algorithms.scorecard.selection import correlations, select
from vfl.algorithms.scorecard.tables import code_column
from vfl.arrays import Float32, Limbs
from vfl.crypto.kernel import from_ints
from vfl.crypto.packing import GradientPacking
from vfl.crypto.paillier import PublicKey
from vfl.errors import NotAllowed, OutOfRange, ParameterError
from vfl.linear_model.evidence import Binning, BinningStore, CodedColumn, woe_blocks
from vfl.trace import span
from vfl.wire.message import Column
from vfl.wire.worker import Answer, Ended, Phase, answers

MIN_ROWS = 50
"""Rows of a pre-bin, at the least, where its owner sets no other minimum."""


class Opening(Phase):
    """Before the job is opened.

    Args:
        store: this party's alignments, columns and binnings.
        show_columns: whether the label party learns the names of this party's columns.
        min_rows: rows that every sum leaving this party covers, at the least.
    """

    def __init__(self, store: BinningStore, *, show_columns: bool = False, min_rows: int = MIN_ROWS) -> None:
        self._store, self._show_columns, self._min_rows = store, show_columns, max(1, min_rows)

    @answers(m.OpenBinning)
    def open(self, request: m.OpenBinning) -> Answer:
        """Cut this party's columns into pre-bins."""
        names, aligned = open_rows(self._store, request.alignment, request.fingerprint)
        columns = aligned[from_bitmap(request.fit_rows, len(aligned))]
        rows = len(columns)
        if rows < self._min_rows:
            raise NotAllowed(f"{rows} rows are fewer than the {self._min_rows} that a sum must cover here")
        key, packing = PublicKey.from_bytes(request.public_key), _packing(request)
        if request.packed_rows < rows:
            raise OutOfRange("the job packs fewer rows than it counts")
        prebins = pre_bin(columns, request.prebinning, request.max_prebins, self._min_rows)
        # On every attempt the same rows are counted in the same pre-bins.
        terms = terms_digest(msgspec.structs.replace(request, public_key=b"-"), columns, prebins.codes)
        remedy = "bin again under another name"
        journal = Journal(self._store, binning_journal(request.binning), terms, remedy=remedy)
        job = BinningJob(self._store, request.binning, names, columns, prebins)
        shown = names if self._show_columns else [""] * len(names)
        opened = m.BinningOpened([Column(n, int(b)) for n, b in zip(shown, prebins.n_bins, strict=True)])
        return opened, Counting(job, journal, key, packing)


@dataclass(frozen=True)
class BinningJob:
    """What a job works with from its opening to its end.

    Attributes:
        store: this party's.
        binning: name of the binning.
        names: of all columns.
        columns: float32 [fit rows, columns].
        prebins: of these columns.
    """

    store: BinningStore
    binning: str
    names: list[str]
    columns: Float32
    prebins: PreBins


class Counting(Phase):
    """While ciphertexts of labels come; each chunk is summed into the pre-bins.

    Args:
        job: opened.
        journal: of the binning.
        key, packing: of the ciphertexts.
    """

    def __init__(self, job: BinningJob, journal: Journal, key: PublicKey, packing: GradientPacking) -> None:
        self._job, self._journal, self._modulus = job, journal, key.modulus
        self._packer = SumPacker(key, packing)
        n_bins = job.prebins.n_bins
        columns = np.arange(len(n_bins), dtype=np.int64)
        self._sums = EncryptedHistogram(key.modulus, plan(job.prebins.codes, n_bins, columns))
        ones = from_ints([1] * int(n_bins.sum()), key.limbs)
        self._totals = key.modulus.to_residues(ones)
        self._receiver = CiphertextReceiver(key, len(job.columns), self._add)

    def _add(self, first: int, residues: Limbs) -> None:
        with span("sum"):
            index = np.arange(len(residues), dtype=np.int64)
            sums = self._sums.sum_by_bin(residues, index, index + first)
            self._totals = self._modulus.multiply(self._totals, sums)

    @answers(m.LabelCounts)
    def receive(self, request: m.LabelCounts) -> Answer:
        """Add a chunk to the sums."""
        return m.LabelCountsTaken(self._receiver.receive(request)), self

    @answers(m.SumBins)
    def give(self, request: m.SumBins) -> Answer:
        """Give the sums of all pre-bins."""
        self._receiver.check_complete()
        packed = self._packer.pack(self._totals, len(self._job.columns))
        self._journal.tell()
        return m.BinsSummed(packed), Fixing(self._job)


@dataclass(frozen=True, eq=False)
class Fixing(Phase):
    """Before bins and weights of evidence come."""

    job: BinningJob

    @answers(m.FixBinning)
    def fix(self, request: m.FixBinning) -> Answer:
        """Select columns, and store their coding."""
        job = self.job
        columns = [bins.column for bins in request.columns]
        if len(set(columns)) != len(columns) or max(columns, default=-1) >= len(job.names):
            raise OutOfRange("bins must be of columns that exist, each once")
        coded = [self._coded(bins) for bins in request.columns]
        strengths = correlations(woe_blocks(Binning(columns=job.names, coded=coded), job.columns))
        selected = select(strengths, request.max_correlation, request.max_vif)
        stored = [coded[position] for position in selected]
        job.store.save_binning(job.binning, Binning(columns=job.names, coded=stored))
        return m.BinningFixed([column.column for column in stored]), Ended()

    def _coded(self, bins: m.WoeBins) -> CodedColumn:
        ends, prebins = np.array(bins.ends), self.job.prebins
        last = len(prebins.cuts[bins.column])
        if len(bins.woe) != len(ends) or (np.diff(ends) <= 0).any() or ends[-1] != last:
            raise OutOfRange("bins must ascend to the last pre-bin, each with its weight of evidence")
        return code_column(prebins, bins.column, ends, bins.woe, bins.missing)


def _packing(request: m.OpenBinning) -> GradientPacking:
    try:
        return GradientPacking(
            request.fraction_bits, request.packed_rows, request.max_weight, request.max_weight
        )
    except ParameterError as error:
        raise OutOfRange(f"the bounds of the job cannot be kept: {error}") from None
