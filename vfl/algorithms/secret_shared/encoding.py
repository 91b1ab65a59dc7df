"""Numbers of a job on shares as bytes, the same at both parties."""

from __future__ import annotations

import numpy as np

from vfl.arrays import Float64
from vfl.errors import MalformedMessage

MOST_ROWS = 2**20
"""Customers of a job: 30 bytes of a message for each, and no message exceeds 64 MiB."""

CHUNK_ROWS = 32_768
"""Rows of a message of ciphertexts: 16 MiB at 2048 bits."""

SHARE_BYTES = 40
"""Of a share of a coefficient, sign included: some 130 bits after one step, and a bit for each doubling."""


def matrix(data: bytes, shape: tuple[int, int]) -> Float64:
    """A matrix of little-endian float64, row by row.

    Raises:
        MalformedMessage: another size, or numbers that are no factors.
    """
    if len(data) != 8 * shape[0] * shape[1]:
        raise MalformedMessage(f"a matrix of {shape[0]} x {shape[1]} numbers was due")
    values = np.frombuffer(data, dtype="<f8").reshape(shape).astype(np.float64)
    if not (np.abs(values) < 1e9).all():
        raise MalformedMessage("a matrix holds a number that is not finite, or too large")
    return values


def share_bytes(shares: list[int]) -> bytes:
    return b"".join(share.to_bytes(SHARE_BYTES, "little", signed=True) for share in shares)


def shares_of(data: bytes, count: int) -> list[int]:
    """Shares of coefficients; raises MalformedMessage for another number of bytes."""
    if len(data) != SHARE_BYTES * count:
        raise MalformedMessage(f"{count} shares of {SHARE_BYTES} bytes were due")
    parts = range(0, len(data), SHARE_BYTES)
    return [int.from_bytes(data[start : start + SHARE_BYTES], "little", signed=True) for start in parts]
