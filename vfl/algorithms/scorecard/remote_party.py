"""A feature party's columns in bins, as the label party sees them at the far end of a conversation."""

from __future__ import annotations

import numpy as np

from vfl.aggregation.ciphertext_stream import send_ciphertexts
from vfl.aggregation.encrypted_rows import EncryptedRows
from vfl.aggregation.packed_sums import SumOpener
from vfl.algorithms.scorecard import messages as m
from vfl.algorithms.scorecard.woe import Counts
from vfl.arrays import Integers
from vfl.errors import MalformedMessage, OutOfRange
from vfl.wire.message import Column
from vfl.wire.session import LabelSession


class RemoteBins:
    """One feature party in a binning job, made with `open`.

    Args:
        session: with it.
        rows: int64, the label party's row of each fit row that the party knows, in aligned order.
        opener: of the job's sums.
        unit: what 1 of fixed point stands for.
        columns: as the party shows them.

    Attributes:
        peer: its name.
        rows: as given.
        shown: by column its name, or "" where the party does not show it.
    """

    def __init__(
        self, session: LabelSession, rows: Integers, opener: SumOpener, unit: float, columns: list[Column]
    ) -> None:
        self.peer, self.rows = session.peer, rows
        self.shown = [column.name for column in columns]
        self._n_bins = [column.bins for column in columns]
        self._session, self._opener, self._unit = session, opener, unit

    @classmethod
    def open(
        cls, session: LabelSession, request: m.OpenBinning, rows: Integers, opener: SumOpener
    ) -> RemoteBins:
        """Open the job and learn how many pre-bins each column has; raises PeerError."""
        columns = session.ask(request, m.BinningOpened).columns
        if not all(1 <= column.bins <= request.max_prebins for column in columns):
            raise MalformedMessage(f"{session.peer} has columns of other numbers of bins than asked")
        return cls(session, rows, opener, 2.0**-request.fraction_bits, columns)

    def counts(self, encrypted: EncryptedRows, totals: Counts) -> list[Counts]:
        """Send ciphertexts, and return the counts of every column's pre-bins.

        Args:
            encrypted: of weighted label and weight.
            totals: of the party's rows; a column's counts never exceed them.

        Raises:
            PeerError: the party failed, or its sums cannot be counts of these rows.
        """
        send_ciphertexts(self._session, encrypted, self.rows, m.LabelCounts, m.LabelCountsTaken)
        packed = self._session.ask(m.SumBins(), m.BinsSummed).ciphertexts
        events, rows = self._opener.open(self.peer, packed, sum(self._n_bins), len(self.rows))
        ends = np.cumsum(self._n_bins)[:-1]
        columns = [
            Counts(*sums)
            for sums in zip(
                np.split(rows * self._unit, ends), np.split(events * self._unit, ends), strict=True
            )
        ]
        if not all(_are_counts(column, totals) for column in columns):
            raise OutOfRange(f"{self.peer} sent sums that are no counts of the rows of this job")
        return columns

    def fix(self, request: m.FixBinning) -> list[int]:
        """Tell the bins; returns the columns that the party keeps."""
        selected = self._session.ask(request, m.BinningFixed).selected
        if [bins.column for bins in request.columns if bins.column in selected] != selected:
            raise MalformedMessage(f"{self._session.peer} keeps other columns than it was offered")
        return selected


def _are_counts(bins: Counts, totals: Counts) -> bool:
    """Whether bins, and what is left of the totals for missing values, hold no fewer rows than events."""
    parts = (
        bins.events,
        bins.nonevents,
        totals.events - bins.events.sum(),
        totals.nonevents - bins.nonevents.sum(),
    )
    return all(bool((part >= 0).all()) for part in map(np.asarray, parts))
