"""Ciphertexts of rows on their way from the label party to a feature party, chunk by chunk, in row order."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np

from vfl.aggregation.encrypted_rows import CHUNK_ROWS
from vfl.arrays import Integers, Limbs
from vfl.crypto.paillier import PublicKey, check_ciphertexts
from vfl.errors import MalformedMessage, OutOfRange, OutOfSequence
from vfl.trace import span
from vfl.wire.message import Blob, Count, Message
from vfl.wire.session import LabelSession


class CiphertextChunk(Message, frozen=True):
    """A chunk of ciphertexts, one a row, in row order from ``offset``."""

    offset: Count
    ciphertexts: Blob


class ChunkTaken(Message, frozen=True):
    """How many rows have come so far."""

    rows: Count


class RowCiphertexts(Protocol):
    """Makes the ciphertexts of rows, as `vfl.aggregation.encrypted_rows.EncryptedRows` does."""

    def ciphertexts(self, rows: Integers) -> Limbs:
        """Return the ciphertexts of some label-party rows."""
        ...


def send_ciphertexts(
    session: LabelSession,
    encrypted: RowCiphertexts,
    rows: Integers,
    message: type[CiphertextChunk],
    reply: type[ChunkTaken],
    *,
    last: Limbs | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> None:
    """Send the ciphertexts of rows; one chunk is on its way while the next is encrypted.

    Args:
        session: with the feature party.
        encrypted: makes the ciphertexts.
        rows: int64, the label party's rows, in the order in which the feature party has them.
        message, reply: the kinds of messages that carry chunks.
        last: further ciphertexts [m, limbs] that follow in the last chunk, where there is a row at all.
        chunk_rows: rows of a message.

    Raises:
        PeerError: the feature party refused a chunk, or could not be reached.
    """
    with ThreadPoolExecutor(1) as sender:
        sent: Future[Any] | None = None
        for start in range(0, len(rows), chunk_rows):
            ciphertexts = encrypted.ciphertexts(rows[start : start + chunk_rows])
            if last is not None and len(last) and start + chunk_rows >= len(rows):
                ciphertexts = np.concatenate([ciphertexts, last])
            chunk = message(start, ciphertexts.astype("<u8", copy=False).tobytes())
            if sent:
                sent.result()
            sent = sender.submit(session.ask, chunk, reply)
        if sent:
            sent.result()


class CiphertextReceiver:
    """Takes the chunks at the feature party, checks every ciphertext, and hands residues on.

    Args:
        public_key: of the ciphertexts.
        rows: how many have to come.
        take: called with the number of the first row of a chunk, and its residues [m, limbs].
        row_ciphertexts: of each row.
    """

    def __init__(
        self,
        public_key: PublicKey,
        rows: int,
        take: Callable[[int, Limbs], None],
        *,
        row_ciphertexts: int = 1,
    ) -> None:
        self._key, self._rows, self._take = public_key, rows, take
        self._row_ciphertexts = row_ciphertexts
        self._received = 0

    def receive(self, chunk: CiphertextChunk) -> int:
        """Take a chunk, and return how many rows have come.

        Raises:
            MalformedMessage: no ciphertext, or not whole ones, or not those of whole rows.
            OutOfRange: other rows than those that are due.
            BadCiphertext: no ciphertext of this key.
        """
        ciphertexts = ciphertexts_in(chunk.ciphertexts, self._key)
        rows, rest = divmod(len(ciphertexts), self._row_ciphertexts)
        if rest or not rows:
            raise MalformedMessage(f"a row has {self._row_ciphertexts} ciphertexts, and a chunk a row")
        end = self._received + rows
        if chunk.offset != self._received or end > self._rows:
            raise OutOfRange(f"ciphertext {self._received} of {self._rows} was due")
        with span("check ciphertexts"):
            residues = check_ciphertexts(self._key, ciphertexts)
        self._take(self._received, residues)
        self._received = end
        return end

    def check_complete(self) -> None:
        """Raise OutOfSequence where rows are still to come."""
        if self._received != self._rows:
            raise OutOfSequence(f"{self._received} of {self._rows} ciphertexts have come")


def ciphertexts_in(data: bytes, key: PublicKey) -> Limbs:
    """Return ciphertexts [n, limbs] as they came, unchecked; raises MalformedMessage."""
    width = 8 * key.limbs
    if len(data) % width:
        raise MalformedMessage(f"ciphertexts must be whole numbers of {width} bytes")
    return np.frombuffer(data, dtype="<u8").reshape(-1, key.limbs)
