"""The label party's side of binning: it counts labels in all parties' bins, merges and codes these."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from vfl.aggregation.bitmap import to_bitmap
from vfl.aggregation.encrypted_rows import EncryptedRows, encrypted_pairs
from vfl.aggregation.packed_sums import SumOpener
from vfl.aggregation.row_order import common_order
from vfl.aggregation.table import LabelTable
from vfl.algorithms.scorecard import messages as m
from vfl.algorithms.scorecard.model import ColumnTable, LabelBinning
from vfl.algorithms.scorecard.params import BinningParams
from vfl.algorithms.scorecard.prebinning import PreBins, pre_bin
from vfl.algorithms.scorecard.remote_party import RemoteBins
from vfl.algorithms.scorecard.selection import correlations, select
from vfl.algorithms.scorecard.tables import BinnedColumn, bin_column, code_column, informative, with_selection
from vfl.algorithms.scorecard.woe import Counts, weight_of_evidence
from vfl.arrays import Bool, Float64, Integers
from vfl.crypto.packing import FixedPoint, GradientPacking
from vfl.crypto.paillier import Decryptor, Encryptor, PrivateKey, Profile
from vfl.errors import DataError
from vfl.linear_model.evidence import Binning, woe_blocks
from vfl.psi.alignment import Alignment
from vfl.wire.session import LabelSession

Progress = Callable[[int, int, str], None]


def fit_binning(
    sessions: Mapping[str, LabelSession],
    alignments: Mapping[str, Alignment],
    table: LabelTable,
    params: BinningParams,
    private_key: PrivateKey,
    *,
    binning_id: str,
    fit: Bool | None = None,
    profile: Profile = "short",
    on_progress: Progress = lambda done, total, what: None,
) -> LabelBinning:
    """Bin every party's columns by the label party's labels.

    Args:
        sessions: a new conversation with each feature party.
        alignments: by the same names.
        table: labels 0 and 1, own columns and weights; its rows all count, aligned or not.
        params: of bins and selection.
        private_key: the label party's Paillier key.
        binning_id: name under which every party keeps its part.
        fit: bool [n]; the rows that are counted, None for all.
        profile: randomness of encryption, see `vfl.crypto.paillier.Encryptor`.
        on_progress: called with (feature parties counted, feature parties, what happened).

    Raises:
        DataError: the labels are not 0 and 1, or of one kind only.
        NotAligned: the table lacks a customer of an alignment.
        PeerError: a feature party failed or sent something that cannot be accepted.
    """
    job = _BinningJob(sessions, alignments, table, params, private_key, fit, profile)
    on_progress(0, len(sessions), "opening")
    with ThreadPoolExecutor(max(1, len(sessions))) as pool:
        remotes = list(pool.map(lambda session: job.open(session, binning_id), sessions.values()))
        encrypted = job.encrypted()
        counted: list[list[BinnedColumn]] = []
        for binned in pool.map(lambda remote: job.count(remote, encrypted), remotes):
            counted.append(binned)
            on_progress(len(counted), len(sessions), "counted")
        own, own_tables = job.own()
        peer_tables = list(pool.map(job.fix, remotes, counted))
    tables = [*own_tables, *(table for tables in peer_tables for table in tables)]
    return LabelBinning(params=params, own=own, tables=tables, unknown=job.unknown(remotes))


class _BinningJob:
    """The state of one binning job."""

    def __init__(
        self,
        sessions: Mapping[str, LabelSession],
        alignments: Mapping[str, Alignment],
        table: LabelTable,
        params: BinningParams,
        private_key: PrivateKey,
        fit: Bool | None,
        profile: Profile,
    ) -> None:
        self._table, self._params, self._alignments = table, params, alignments
        self._fit = np.ones(len(table.labels), dtype=np.bool_) if fit is None else fit
        wrong = int(np.count_nonzero((table.labels != 0) & (table.labels != 1)))
        if wrong:
            raise DataError(f"binning needs labels 0 and 1; {wrong} rows have another value")
        self._weights = np.ones(len(table.labels), np.float32) if table.weights is None else table.weights
        events = np.where(self._fit, self._weights * table.labels, 0.0)
        if not events.any() or not (np.where(self._fit, self._weights, 0.0) > events).any():
            raise DataError("binning needs rows of both labels: check the label column and the weights")
        self._packing = self._bounds()
        fixed = FixedPoint(self._packing.fraction_bits)
        # Rounded as they will be encrypted: sums are exact from here on, whoever adds them.
        rows = np.ldexp(fixed.quantise(self._weights).astype(np.float64), -fixed.fraction_bits)
        self._counts = Counts(rows, np.where(table.labels == 1, rows, 0.0))
        self._totals = self._sum(np.flatnonzero(self._fit))
        self._encryptor = Encryptor(private_key, profile)
        self._opener = SumOpener(private_key.public_key, Decryptor(private_key), self._packing)
        self._known = {peer: table.rows_of(alignments[peer]) for peer in sessions}

    def open(self, session: LabelSession, binning_id: str) -> RemoteBins:
        """Open the job at one feature party."""
        alignment, known = self._alignments[session.peer], self._known[session.peer]
        request = m.OpenBinning(
            binning=binning_id,
            alignment=alignment.id,
            fingerprint=alignment.fingerprint,
            fit_rows=to_bitmap(self._fit[known]),
            public_key=self._encryptor.public_key.to_bytes(),
            fraction_bits=self._packing.fraction_bits,
            packed_rows=self._packing.n_rows,
            max_weight=self._packing.max_h,
            prebinning=self._params.prebinning,
            max_prebins=self._params.max_prebins,
        )
        return RemoteBins.open(session, request, known[self._fit[known]], self._opener)

    def encrypted(self) -> EncryptedRows:
        """A ciphertext for each fit row that a feature party knows: its weight, and that times its label."""
        n, rows_in_label_table = len(self._fit), list(self._known.values())
        recipients_per_row = np.bincount(
            np.concatenate([np.zeros(0, np.int64), *rows_in_label_table]), minlength=n
        )
        order = common_order(n, rows_in_label_table, [self._alignments[peer] for peer in self._known])
        wanted = order[(self._fit & (recipients_per_row > 0))[order]]
        unit = 2.0**self._packing.fraction_bits
        events, rows = (
            np.rint(values * unit).astype(np.int64) for values in (self._counts.events, self._counts.rows)
        )
        return encrypted_pairs(self._encryptor, self._packing, events, rows, wanted, recipients_per_row)

    def count(self, remote: RemoteBins, encrypted: EncryptedRows) -> list[BinnedColumn]:
        """Have a feature party count labels, and bin its columns."""
        known = self._sum(remote.rows)
        return [
            bin_column(
                _place(remote.peer, column, remote.shown[column]), counts, known, self._totals, self._params
            )
            for column, counts in enumerate(remote.counts(encrypted, known))
        ]

    def fix(self, remote: RemoteBins, binned: list[BinnedColumn]) -> list[ColumnTable]:
        """Send a feature party the bins of its informative columns; returns the tables of all its columns."""
        best = informative(binned, self._params.min_iv)
        bins = [m.WoeBins(c.table.column, c.ends.tolist(), c.woe, c.missing) for c in best]
        limits = self._params.max_correlation, self._params.max_vif
        return with_selection(binned, remote.fix(m.FixBinning(bins, *limits)))

    def own(self) -> tuple[Binning, list[ColumnTable]]:
        """Bin the label party's own columns."""
        columns, names, params = self._table.columns[self._fit], list(self._table.names), self._params
        prebins = pre_bin(columns, params.prebinning, params.max_prebins)
        binned = []
        for column, name in enumerate(names):
            counts = self._own_counts(prebins, column)
            place = _place("", column, name)
            binned.append(bin_column(place, counts, self._totals, self._totals, params))
        best = informative(binned, params.min_iv)
        coded = [
            code_column(prebins, column.table.column, column.ends, column.woe, column.missing)
            for column in best
        ]
        strengths = correlations(woe_blocks(Binning(columns=names, coded=coded), columns))
        selected = select(strengths, params.max_correlation, params.max_vif)
        stored = [coded[position] for position in selected]
        return Binning(columns=names, coded=stored), with_selection(
            binned, [column.column for column in stored]
        )

    def unknown(self, remotes: Sequence[RemoteBins]) -> dict[str, float]:
        """By feature party with enough customers that it does not know, their weight of evidence."""
        unknown = {}
        for remote in remotes:
            known = self._sum(remote.rows)
            rest = Counts(self._totals.rows - known.rows, self._totals.events - known.events)
            if rest.rows[0] > 0 and rest.enough(self._params.min_events)[0]:
                unknown[remote.peer] = float(weight_of_evidence(rest, self._totals)[0])
        return unknown

    def _bounds(self) -> GradientPacking:
        """Bounds that every weight of the job keeps, rounded up to powers of two: they cross the wire."""
        heaviest = 2.0 ** math.ceil(math.log2(float(self._weights.max())))
        rows = 1 << (max(1, int(np.count_nonzero(self._fit))) - 1).bit_length()
        whole = bool((self._weights == np.rint(self._weights)).all())
        bits = 0 if whole else FixedPoint.fraction_bits_for(rows, heaviest)
        return GradientPacking(bits, rows, heaviest, heaviest)

    def _sum(self, rows: Integers) -> Counts:
        """Counts [1] of some rows."""
        return Counts(
            *(values[rows].sum(keepdims=True) for values in (self._counts.rows, self._counts.events))
        )

    def _own_counts(self, prebins: PreBins, column: int) -> Counts:
        codes, n_bins = prebins.codes[:, column], int(prebins.n_bins[column])

        def by_bin(values: Float64) -> Float64:
            return np.bincount(codes, weights=values[self._fit], minlength=n_bins + 1)[:n_bins].astype(
                np.float64
            )

        return Counts(by_bin(self._counts.rows), by_bin(self._counts.events))


def _place(owner: str, column: int, name: str) -> ColumnTable:
    return ColumnTable(owner=owner, column=column, name=name, bins=[], selected=False)
