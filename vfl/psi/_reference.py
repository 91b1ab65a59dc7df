"""Points one at a time with libsodium, through rbcl: the judge in tests, and the fallback.

The same functions as ``_native``, which ``vfl.psi.group`` documents.
"""

from __future__ import annotations

import contextlib
import os
import tempfile

import rbcl


def multiply(points: bytes, scalar: bytes) -> bytes:
    if len(scalar) != 32 or scalar[31] & 0x80:
        raise ValueError("a scalar is below 2^255")
    try:
        return b"".join(rbcl.crypto_scalarmult_ristretto255(scalar, point) for point in _split(points, 32))
    except RuntimeError:  # libsodium refuses a malformed point and the identity in the same call
        raise ValueError("not a point") from None


def from_uniform(uniform: bytes) -> bytes:
    return b"".join(map(rbcl.crypto_core_ristretto255_from_hash, _split(uniform, 64)))


def are_points(points: bytes) -> bool:
    valid = rbcl.crypto_core_ristretto255_is_valid_point
    return all(valid(point) and any(point) for point in _split(points, 32))


def _split(data: bytes, width: int) -> list[bytes]:
    if len(data) % width:
        raise ValueError("not a whole number of elements")
    return [data[at : at + width] for at in range(0, len(data), width)]


def _remove_unpacked_library() -> None:
    """Remove the copy of libsodium that rbcl unpacks into the temporary folder and would leave there.

    The loaded library stays; without this every start of a party would leave 2.8 MB behind.
    """
    path = getattr(getattr(rbcl, "_sodium", None), "_name", "")
    if os.path.dirname(path) == tempfile.gettempdir():
        with contextlib.suppress(OSError):
            os.unlink(path)


_remove_unpacked_library()
