"""A feature party's columns in bins, as the label party sees them at the far end of a conversation."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from vfl.aggregation.encrypted_rows import CHUNK_ROWS, EncryptedRows
from vfl.algorithms.scorecard import messages as m
from vfl.algorithms.scorecard.woe import Counts
from vfl.arrays import Integers
from vfl.crypto.packing import GradientPacking
from vfl.crypto.paillier import Decryptor, PublicKey, check_ciphertexts
from vfl.errors import MalformedMessage, OutOfRange
from vfl.trace import span
from vfl.wire.session import LabelSession


class RemoteBins:
    """One feature party in a binning job.

    Args:
        session: a new conversation; `open` sends its first message.
        rows: int64, the label party's row of each fit row that the party knows, in aligned order.
        public_key, decryptor, packing: of the job.

    Attributes:
        shown: by column its name, or "" where the party does not show it.
    """

    def __init__(
        self,
        session: LabelSession,
        rows: Integers,
        public_key: PublicKey,
        decryptor: Decryptor,
        packing: GradientPacking,
    ) -> None:
        self.rows = rows
        self.shown: list[str] = []
        self._session = session
        self._public_key, self._decryptor, self._packing = public_key, decryptor, packing

    def open(self, request: m.OpenBinning) -> None:
        """Open the job and learn how many pre-bins each column has."""
        columns = self._session.ask(request, m.BinningOpened).columns
        self._n_bins = [column.bins for column in columns]
        self.shown = [column.name for column in columns]
        if not all(1 <= bins <= request.max_prebins for bins in self._n_bins):
            raise MalformedMessage(f"{self._session.peer} has columns of other numbers of bins than asked")

    def counts(self, encrypted: EncryptedRows, totals: Counts) -> list[Counts]:
        """Send ciphertexts, and return the counts of every column's pre-bins.

        Args:
            encrypted: of weighted label and weight.
            totals: of the party's rows; a column's counts never exceed them.

        Raises:
            PeerError: the party failed, or its sums cannot be counts of these rows.
        """
        with ThreadPoolExecutor(1) as sender:  # one chunk is on its way while the next is encrypted
            sent = None
            for start in range(0, len(self.rows), CHUNK_ROWS):
                ciphertexts = encrypted.of(self.rows[start : start + CHUNK_ROWS])
                message = m.LabelCounts(start, ciphertexts.astype("<u8", copy=False).tobytes())
                if sent:
                    sent.result()
                sent = sender.submit(self._session.ask, message, m.LabelCountsTaken)
            if sent:
                sent.result()
        rows, events = self._decrypted(self._session.ask(m.SumBins(), m.BinsSummed).ciphertexts)
        ends = np.cumsum(self._n_bins)[:-1]
        columns = [Counts(*of) for of in zip(np.split(rows, ends), np.split(events, ends), strict=True)]
        if not all(_are_counts(of, totals) for of in columns):
            raise OutOfRange(f"{self._session.peer} sent sums that are no counts of the rows of this job")
        return columns

    def _decrypted(self, data: bytes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        count, n_sums = len(self.rows), sum(self._n_bins)
        slots = self._packing.slots_per_ciphertext(count, self._public_key.bits)
        limbs = self._public_key.limbs
        if len(data) != 8 * limbs * -(-n_sums // slots):
            raise MalformedMessage(f"{self._session.peer} sent another number of sums than it has bins")
        ciphertexts = np.frombuffer(data, dtype="<u8").reshape(-1, limbs)
        with span("decrypt"):
            check_ciphertexts(self._public_key, ciphertexts)
            plain = self._decryptor.decrypt(ciphertexts)
        with span("unpack"):
            slot_bits = self._packing.slot_bits(count)
            events, rows = self._packing.unpack(plain, slots, slot_bits, n_sums, count)
        unit = 2.0**-self._packing.fraction_bits
        return rows * unit, events * unit

    def fix(self, request: m.FixBinning) -> list[int]:
        """Tell the bins; returns the columns that the party keeps."""
        kept = self._session.ask(request, m.BinningFixed).kept
        if [bins.column for bins in request.columns if bins.column in kept] != kept:
            raise MalformedMessage(f"{self._session.peer} keeps other columns than it was offered")
        return kept


def _are_counts(of: Counts, totals: Counts) -> bool:
    """Whether bins, and what is left of the totals for missing values, hold no fewer rows than events."""
    parts = (of.events, of.nonevents, totals.events - of.events.sum(), totals.nonevents - of.nonevents.sum())
    return all(bool((part >= 0).all()) for part in map(np.asarray, parts))
