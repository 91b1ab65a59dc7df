"""The feature party's side of binning: counts of labels by pre-bin on ciphertexts, then its columns' codes.

Nothing is kept of the ciphertexts: each chunk is summed into the pre-bins as it comes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from vfl.aggregation.bitmap import from_bitmap
from vfl.aggregation.group_sums import EncryptedHistogram, plan
from vfl.aggregation.journal import Journal, binning_journal, terms_digest
from vfl.aggregation.store import open_rows
from vfl.algorithms.scorecard import messages as m
from vfl.algorithms.scorecard.prebinning import pre_bin
from vfl.algorithms.scorecard.selection import correlations, select
from vfl.algorithms.scorecard.tables import code_column
from vfl.crypto.packing import GradientPacking
from vfl.crypto.paillier import PublicKey, check_ciphertexts
from vfl.crypto.randomness import Rerandomizer
from vfl.errors import MalformedMessage, NotAllowed, OutOfRange, OutOfSequence, ParameterError
from vfl.linear_model.evidence import Binning, BinningStore, CodedColumn, woe_blocks
from vfl.trace import span
from vfl.wire.message import Column, Message

MIN_ROWS = 50
"""Rows of a pre-bin, at the least, where its owner sets no other minimum."""


class BinningWorker:
    """Answers one binning job.

    Args:
        store: this party's alignments, columns and binnings.
        show_columns: whether the label party learns the names of this party's columns.
        min_rows: rows that every sum leaving this party covers, at the least.
    """

    def __init__(self, store: BinningStore, *, show_columns: bool = False, min_rows: int = MIN_ROWS) -> None:
        self._store = store
        self._show_columns = show_columns
        self._min_rows = max(1, min_rows)
        self._handlers: dict[type[Message], Callable[[Any], Message]] = {
            m.OpenBinning: self._open,
            m.LabelCounts: self._label_counts,
            m.SumBins: self._sum_bins,
            m.FixBinning: self._fix,
        }

    def handle(self, request: Message) -> Message:
        """Return the reply to a request of this job; raises PeerError or LocalError."""
        return self._handlers[type(request)](request)

    def _open(self, request: m.OpenBinning) -> m.BinningOpened:
        self._names, columns = open_rows(self._store, request.alignment, request.fingerprint)
        self._columns = columns[from_bitmap(request.fit_rows, len(columns))]
        rows = len(self._columns)
        if rows < self._min_rows:
            raise NotAllowed(f"{rows} rows are fewer than the {self._min_rows} that a sum must cover here")
        self._binning = request.binning
        self._public_key = PublicKey.from_bytes(request.public_key)
        self._modulus = self._public_key.modulus
        self._packing = _packing(request)
        if request.packed_rows < rows:
            raise OutOfRange("the job packs fewer rows than it counts")
        self._prebins = pre_bin(self._columns, request.prebinning, request.max_prebins, self._min_rows)
        self._draft = self._draft_of(request)
        n_bins = self._prebins.n_bins
        self._sums = EncryptedHistogram(
            self._modulus, plan(self._prebins.codes, n_bins, np.arange(len(n_bins), dtype=np.int64))
        )
        one = np.zeros((int(n_bins.sum()), self._modulus.limbs), dtype=np.uint64)
        one[:, 0] = 1
        self._totals = self._modulus.to_residues(one)
        self._received = 0
        shown = self._names if self._show_columns else [""] * len(self._names)
        return m.BinningOpened([Column(n, int(b)) for n, b in zip(shown, n_bins, strict=True)])

    def _draft_of(self, request: m.OpenBinning) -> Journal:
        """The draft of this binning: on every attempt the same rows are counted in the same pre-bins."""
        terms = terms_digest(
            msgspec.structs.replace(request, public_key=b"-"), self._columns, self._prebins.codes
        )
        return Journal(
            self._store, binning_journal(request.binning), terms, remedy="bin anew under another name"
        )

    def _label_counts(self, request: m.LabelCounts) -> m.LabelCountsTaken:
        width = 8 * self._modulus.limbs
        if not request.ciphertexts or len(request.ciphertexts) % width:
            raise MalformedMessage(f"ciphertexts must be whole numbers of {width} bytes")
        ciphertexts = np.frombuffer(request.ciphertexts, dtype="<u8").reshape(-1, self._modulus.limbs)
        end = self._received + len(ciphertexts)
        if request.offset != self._received or end > len(self._columns):
            raise OutOfRange(f"ciphertext {self._received} of {len(self._columns)} was due")
        with span("check ciphertexts"):
            residues = check_ciphertexts(self._public_key, ciphertexts)
        with span("sum"):
            index = np.arange(len(residues), dtype=np.int64)
            sums = self._sums.of(residues, index, index + self._received)
            self._totals = self._modulus.multiply(self._totals, sums)
        self._received = end
        return m.LabelCountsTaken(end)

    def _sum_bins(self, request: m.SumBins) -> m.BinsSummed:
        rows = len(self._columns)
        if self._received != rows:
            raise OutOfSequence(f"{self._received} of {rows} ciphertexts have come")
        slots = self._packing.slots_per_ciphertext(rows, self._public_key.bits)
        with span("pack"):
            packed = self._modulus.pack(self._totals, slots, self._packing.slot_bits(rows))
        with span("re-randomise"):
            fresh = Rerandomizer(self._public_key).rerandomize(packed)
        self._draft.tell()
        return m.BinsSummed(self._modulus.from_residues(fresh).astype("<u8", copy=False).tobytes())

    def _fix(self, request: m.FixBinning) -> m.BinningFixed:
        columns = [bins.column for bins in request.columns]
        if len(set(columns)) != len(columns) or max(columns, default=-1) >= len(self._names):
            raise OutOfRange("bins must be of columns that exist, each once")
        coded = [self._coded(bins) for bins in request.columns]
        offered = correlations(woe_blocks(Binning(columns=self._names, coded=coded), self._columns))
        kept = [coded[at] for at in select(offered, request.max_correlation, request.max_vif)]
        self._store.save_binning(self._binning, Binning(columns=self._names, coded=kept))
        return m.BinningFixed([of.column for of in kept])

    def _coded(self, bins: m.WoeBins) -> CodedColumn:
        ends = np.array(bins.ends)
        last = len(self._prebins.cuts[bins.column])
        if len(bins.woe) != len(ends) or (np.diff(ends) <= 0).any() or ends[-1] != last:
            raise OutOfRange("bins must ascend to the last pre-bin, each with its weight of evidence")
        return code_column(self._prebins, bins.column, ends, bins.woe, bins.missing)


def _packing(request: m.OpenBinning) -> GradientPacking:
    try:
        return GradientPacking(
            request.fraction_bits, request.packed_rows, request.max_weight, request.max_weight
        )
    except ParameterError as error:
        raise OutOfRange(f"the bounds of the job cannot be kept: {error}") from None
