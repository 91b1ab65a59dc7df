"""Encrypts each row once for all feature parties, at its first request."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from vfl.arrays import Integers, Limbs
from vfl.crypto.packing import GradientPacking
from vfl.crypto.paillier import Encryptor
from vfl.trace import span

CHUNK_ROWS = 4096
"""Rows encrypted at a time: 2 MB of ciphertexts at 2048 bits, a few hundredths of a second of work."""

AHEAD_ROWS = 131_072
"""Most encryptions whose randomness is made ahead: 64 MB at 2048 bits."""

AHEAD_STEP = 1024
"""Encryptions prepared at a time, so that the thread stops within a hundredth of a second."""


class EncryptedRows:
    """Ciphertexts of the rows that feature parties sum, made chunk by chunk and kept no longer than needed.

    A chunk is encrypted at the first request for one of its rows, and deleted once every feature party has
    received its rows of it. Parties that ask in about the order given and at about the same pace share one
    encryption of every row while only a few chunks are in memory; a party that lags keeps the chunks that
    it has yet to receive.

    Args:
        encryptor: the label party's.
        plaintexts: two's complement words [m, k] of m label-party rows.
        order: int64 [m], the distinct label-party rows to encrypt.
        recipients_per_row: int64 [label-party rows], how many feature parties receive each row. One request
            more encrypts the row again.

    Attributes:
        complete: set once every row has been encrypted.
    """

    def __init__(
        self,
        encryptor: Encryptor,
        plaintexts: Callable[[Integers], Limbs],
        order: Integers,
        recipients_per_row: Integers,
    ) -> None:
        self._encryptor = encryptor
        self._plaintexts = plaintexts
        self._order = order
        self._position = np.full(len(recipients_per_row), -1, dtype=np.int64)
        self._position[order] = np.arange(len(order))
        chunk_of = np.arange(len(order)) // CHUNK_ROWS
        self._awaited = np.bincount(chunk_of, weights=recipients_per_row[order]).astype(np.int64)
        self._chunks: dict[int, Limbs] = {}
        self._left = len(self._awaited)
        self.complete = threading.Event()
        self._lock = threading.Lock()

    @property
    def held_bytes(self) -> int:
        """Bytes of the ciphertexts in memory."""
        with self._lock:
            return sum(chunk.nbytes for chunk in self._chunks.values())

    def ciphertexts(self, rows: Integers) -> Limbs:
        """Return the ciphertexts of some label-party rows, encrypting what is missing; thread-safe."""
        positions = self._position[rows]
        chunk_of = positions // CHUNK_ROWS
        ciphertexts = np.empty((len(rows), self._encryptor.public_key.limbs), dtype=np.uint64)
        with self._lock:
            for chunk in np.unique(chunk_of).tolist():
                of_chunk = np.flatnonzero(chunk_of == chunk)
                if chunk not in self._chunks:
                    self._chunks[chunk] = self._encrypt(chunk)
                ciphertexts[of_chunk] = self._chunks[chunk][positions[of_chunk] - chunk * CHUNK_ROWS]
                self._awaited[chunk] -= len(of_chunk)
                if self._awaited[chunk] <= 0:
                    del self._chunks[chunk]
        return ciphertexts

    def _encrypt(self, chunk: int) -> Limbs:
        rows = self._order[chunk * CHUNK_ROWS : (chunk + 1) * CHUNK_ROWS]
        with span("encrypt"):
            encrypted = self._encryptor.encrypt(self._plaintexts(rows))
        self._left -= 1
        if not self._left:
            self.complete.set()
        return encrypted


def encrypted_pairs(
    encryptor: Encryptor,
    packing: GradientPacking,
    first: Integers,
    second: Integers,
    order: Integers,
    recipients_per_row: Integers,
) -> EncryptedRows:
    """Return rows that hold two numbers each, such as gradient and hessian.

    Args:
        packing: how the two become one number.
        first, second: int64 [label-party rows], whole numbers of fixed point; the second is never negative.
        encryptor, order, recipients_per_row: as for `EncryptedRows`.
    """
    return EncryptedRows(
        encryptor, lambda rows: packing.pack(first[rows], second[rows]), order, recipients_per_row
    )


@contextmanager
def randomness_ahead(encryptor: Encryptor, rows: int) -> Iterator[Callable[[threading.Event], None]]:
    """Make the next tree's randomness while the label party waits for sums of this one.

    Gives a function to call with an event that is set once the label party has nothing to encrypt, such as
    `EncryptedRows.complete`. From then on a thread prepares up to ``rows`` encryptions; it stops when
    the function is called again, or at the end.
    """
    events: queue.Queue[threading.Event | None] = queue.Queue()

    def work() -> None:
        while (idle := events.get()) is not None:
            while not idle.wait(0.01) and events.empty():
                pass
            while events.empty() and encryptor.prepared < min(rows, AHEAD_ROWS):
                with span("prepare randomness"):
                    encryptor.prepare(AHEAD_STEP)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield events.put
    finally:
        events.put(None)
        thread.join()
