"""A tree's gradients, encrypted once for all feature parties, as they are asked for."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from vfl.crypto.packing import GradientPacking
from vfl.crypto.paillier import Encryptor
from vfl.trees.columns import Gradients

Integers = npt.NDArray[np.int64]
Limbs = npt.NDArray[np.uint64]

CHUNK_ROWS = 4096
"""Rows encrypted at a time: 2 MB of ciphertexts at 2048 bits, a few hundredths of a second of work."""


class EncryptedGradients:
    """Ciphertexts of the rows that any feature party sums, made on demand and kept for the tree.

    Rows are encrypted in the order given, chunk by chunk, so that a feature party that asks in about that
    order works on the first rows while the next are encrypted.

    Args:
        encryptor: the label party's.
        packing: how a gradient and a hessian become one number.
        gradients: of the tree; G and H hold integers.
        order: int64 [m], the distinct label-party rows to encrypt.
    """

    def __init__(
        self, encryptor: Encryptor, packing: GradientPacking, gradients: Gradients, order: Integers
    ) -> None:
        self._encryptor = encryptor
        self._packing = packing
        self._gradients = gradients
        self._order = order
        self._position = np.full(len(gradients.G), -1, dtype=np.int64)
        self._position[order] = np.arange(len(order))
        self._ciphertexts = np.empty((len(order), encryptor.public_key.limbs), dtype=np.uint64)
        self._done = 0
        self._lock = threading.Lock()

    def of(self, rows: Integers) -> Limbs:
        """Return the ciphertexts of some label-party rows, encrypting what is missing; thread-safe."""
        positions = self._position[rows]
        with self._lock:
            while self._done <= positions.max(initial=-1):
                chunk = self._order[self._done : self._done + CHUNK_ROWS]
                G, H = (of[chunk].astype(np.int64) for of in (self._gradients.G, self._gradients.H))
                encrypted = self._encryptor.encrypt(self._packing.pack(G, H))
                self._ciphertexts[self._done : self._done + len(chunk)] = encrypted
                self._done += len(chunk)
        return self._ciphertexts[positions]
