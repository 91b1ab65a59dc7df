"""The group of the intersection: ristretto255 (RFC 9496), many points at a time.

Points travel and rest as their canonical 32-byte encodings, one after another in one ``bytes``. The
arithmetic is the compiled one, eight points at once, where the CPU has AVX-512 IFMA, and otherwise
libsodium's (``VFL_PURE_PYTHON=1`` forces it): same functions, same results.

==============================  =========================================================================
``multiply(points, scalar)``    every point times one scalar of 32 little-endian bytes below 2^255;
                                ``ValueError`` where one is no canonical encoding or the identity
``from_uniform(uniform)``       64 uniform bytes each to a point (RFC 9496, section 4.3.4)
``are_points(points)``          whether all are canonical encodings and none is the identity
==============================  =========================================================================

Both run the same steps and touch the same addresses whatever the scalar, and free the interpreter
lock, so that a batch is spread over threads. ``docs/decisions`` tells why this group.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from vfl.errors import MalformedMessage

if TYPE_CHECKING:
    from vfl.psi import _reference as _points
else:
    from importlib import import_module

    try:
        _points = import_module("vfl.psi._native")
    except ImportError:
        _points = None
    if _points is None or not _points.has_ifma() or os.environ.get("VFL_PURE_PYTHON") == "1":
        _points = import_module("vfl.psi._reference")

POINT_BYTES = 32
ORDER = 2**252 + 27742317777372353535851937790883648493
"""Order of the group, a prime."""

DOMAIN = b"vfl-psi-v1-ristretto255_XMD:SHA-512_R255MAP_RO_"
"""Domain separation tag: no other protocol hashes to these points (RFC 9380, section 3.1)."""

_NOT_POINTS = "not every point is the canonical encoding of a ristretto255 point other than the identity"
_LEAST_PART = 512  # points worth a thread

_Items = TypeVar("_Items", bytes, Sequence[str])
_Result = TypeVar("_Result")


def arithmetic_name() -> str:
    """Return which arithmetic runs: ``native-ifma`` or ``reference``."""
    return "native-ifma" if _points.__name__.endswith("_native") else "reference"


def new_scalar() -> bytes:
    """Return a uniformly random scalar other than zero, 32 bytes, from the operating system's generator."""
    return (1 + secrets.randbelow(ORDER - 1)).to_bytes(32, "little")


def hash_to_group(keys: Sequence[str], domain: bytes = DOMAIN) -> bytes:
    """Return the point of each key: ``hash_to_ristretto255`` of RFC 9380, appendix B, with SHA-512."""
    tag = domain + bytes([len(domain)])
    # expand_message_xmd for 64 bytes: one block of zeros, the message, the length asked for, a zero.
    start = hashlib.sha512(bytes(128))
    rest = (64).to_bytes(2, "big") + b"\0" + tag

    def uniform(key: str) -> bytes:
        first = start.copy()
        first.update(key.encode() + rest)
        return hashlib.sha512(first.digest() + b"\1" + tag).digest()

    return b"".join(_spread(lambda part: _points.from_uniform(b"".join(map(uniform, part))), keys, 1))


def mask(points: bytes, scalar: bytes) -> bytes:
    """Return every point multiplied by ``scalar``, in the same order.

    Raises:
        MalformedMessage: the bytes are not whole points, or one is no canonical encoding of a point
            other than the identity.
    """
    _check_whole(points)
    try:
        return b"".join(_spread(lambda part: _points.multiply(part, scalar), points, POINT_BYTES))
    except ValueError:
        raise MalformedMessage(_NOT_POINTS) from None


def check_points(points: bytes) -> None:
    """Check foreign points that are only compared, never multiplied; raises as :func:`mask` does."""
    _check_whole(points)
    if not all(_spread(_points.are_points, points, POINT_BYTES)):
        raise MalformedMessage(_NOT_POINTS)


def _check_whole(points: bytes) -> None:
    if len(points) % POINT_BYTES:
        raise MalformedMessage(f"{len(points)} bytes are not whole points of {POINT_BYTES} bytes")


def _spread(work: Callable[[_Items], _Result], items: _Items, width: int) -> list[_Result]:
    """Return the results of ``work`` on consecutive parts of ``items``, one thread for each part.

    Parts are cut at multiples of ``width``.
    """
    count = len(items) // width
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    size = max(_LEAST_PART, -(-count // cores)) * width
    parts = [items[at : at + size] for at in range(0, len(items), size)]
    if len(parts) < 2:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(len(parts)) as pool:
        return list(pool.map(work, parts))
