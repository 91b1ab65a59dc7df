"""The group of the intersection: ristretto255 (RFC 9496), many points at a time.

Points travel and rest as their canonical 32-byte encodings, one after another in one ``bytes``. The
arithmetic is libsodium's through ``rbcl``; scalar multiplication there runs in constant time, and a call
frees the interpreter lock, so a batch is spread over threads. ``docs/decisions`` tells why this library.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import rbcl

from vfl.crypto.kernel import processors
from vfl.errors import MalformedMessage

POINT_BYTES = 32
IDENTITY = bytes(POINT_BYTES)
DOMAIN = b"vfl-psi-v1-ristretto255_XMD:SHA-512_R255MAP_RO_"
"""Domain separation tag: no other protocol hashes to these points (RFC 9380, section 3.1)."""

_NOT_POINTS = "not every point is the canonical encoding of a ristretto255 point other than the identity"
_LEAST_PART = 256  # points worth a thread: about 10 ms of work

_Item = TypeVar("_Item")


def new_scalar() -> bytes:
    """Return a uniformly random scalar other than zero, from the operating system's generator."""
    return bytes(rbcl.crypto_core_ristretto255_scalar_random())


def hash_to_group(keys: Sequence[str], domain: bytes = DOMAIN) -> bytes:
    """Return the point of each key: ``hash_to_ristretto255`` of RFC 9380, appendix B, with SHA-512."""
    tag = domain + bytes([len(domain)])
    # expand_message_xmd for 64 bytes: one block of zeros, the message, the length asked for, a zero.
    start = hashlib.sha512(bytes(128))
    rest = (64).to_bytes(2, "big") + b"\0" + tag

    def point(key: str) -> bytes:
        first = start.copy()
        first.update(key.encode() + rest)
        uniform = hashlib.sha512(first.digest() + b"\1" + tag).digest()
        return bytes(rbcl.crypto_core_ristretto255_from_hash(uniform))

    return _spread(lambda part: b"".join(map(point, part)), keys)


def mask(points: bytes, scalar: bytes) -> bytes:
    """Return every point multiplied by ``scalar``, in the same order.

    Raises:
        MalformedMessage: the bytes are not whole points, or one is no canonical encoding of a point
            other than the identity.
    """
    multiply = rbcl.crypto_scalarmult_ristretto255

    def part(encodings: Sequence[bytes]) -> bytes:
        return b"".join([multiply(scalar, point) for point in encodings])

    try:
        return _spread(part, split(points))
    except RuntimeError:  # libsodium refuses both at once, so a foreign point costs no second look
        raise MalformedMessage(_NOT_POINTS) from None


def check_points(points: bytes) -> None:
    """Check foreign points that are only compared, never multiplied; raises as :func:`mask` does."""
    valid = rbcl.crypto_core_ristretto255_is_valid_point

    def part(encodings: Sequence[bytes]) -> bytes:
        return bytes(valid(point) and point != IDENTITY for point in encodings)

    if not all(_spread(part, split(points))):
        raise MalformedMessage(_NOT_POINTS)


def split(points: bytes) -> list[bytes]:
    """Return the single encodings; raises MalformedMessage where the bytes are not whole points."""
    if len(points) % POINT_BYTES:
        raise MalformedMessage(f"{len(points)} bytes are not whole points of {POINT_BYTES} bytes")
    return [points[start : start + POINT_BYTES] for start in range(0, len(points), POINT_BYTES)]


def _spread(work: Callable[[Sequence[_Item]], bytes], items: Sequence[_Item]) -> bytes:
    """Return the results of ``work`` on consecutive parts of ``items``, joined in order."""
    size = max(_LEAST_PART, -(-len(items) // processors()))
    parts = [items[start : start + size] for start in range(0, len(items), size)]
    if len(parts) < 2:
        return work(items)
    with ThreadPoolExecutor(len(parts)) as pool:
        return b"".join(pool.map(work, parts))
