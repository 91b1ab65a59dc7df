"""Booleans as bytes: the first row in the lowest bit of the first byte, padded with zeros."""

from __future__ import annotations

import numpy as np

from vfl.arrays import Bool
from vfl.errors import MalformedMessage


def to_bitmap(flags: Bool) -> bytes:
    """Return bool [n] as bytes, or bool [rows, n] with each row padded to whole bytes."""
    return np.packbits(flags, axis=-1, bitorder="little").tobytes()


def from_bitmap(bitmap: bytes, count: int, rows: int | None = None) -> Bool:
    """Return bool [count], or bool [rows, count] where ``rows`` is given.

    Raises:
        MalformedMessage: another length than ``count`` needs, or a padding bit that is set.
    """
    width = (count + 7) // 8
    lines = 1 if rows is None else rows
    if len(bitmap) != width * lines:
        raise MalformedMessage(f"a bitmap of {len(bitmap)} bytes came where {count} bits a row were due")
    packed = np.frombuffer(bitmap, dtype=np.uint8).reshape(lines, width)
    flags = np.unpackbits(packed, axis=1, bitorder="little").view(np.bool_)
    if flags[:, count:].any():
        raise MalformedMessage("a bitmap has bits set beyond its last row")
    flags = flags[:, :count]
    return flags if rows is not None else flags.reshape(-1)
