"""What two parties keep after they aligned: their common customers, in one order."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from vfl.errors import NotAligned, StateError

Mode = Literal["left", "inner"]

FORMAT_VERSION = 1

MAX_ROWS = 2**27
"""Rows that a party may announce: 4 GiB of points each way."""


class Alignment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rows that one label party and one feature party have in common.

    It names customers: whoever stores it keeps it as safe as the customer file itself.

    Attributes:
        id: name of the alignment, the same at both parties.
        peer: the other party, as this party calls it.
        mode: ``left`` where the label party's other rows take part too, with this peer's columns
            missing; ``inner`` where only rows known to every party do.
        key: 32 bytes that key the fingerprint; both parties hold it.
        identifiers: canonical keys, in the agreed order, which tells nothing of either file's order.
        fingerprint: 32 bytes, equal at both parties exactly if key and identifiers are.
        places: at the label party alone, where each identifier stands in the secret order of all its
            rows, ascending; alignments made together share that order. Empty at a feature party.
    """

    id: str
    peer: str
    mode: Mode
    key: bytes
    identifiers: list[str]
    fingerprint: bytes
    places: list[int] = []

    @classmethod
    def fix(
        cls, id: str, peer: str, mode: Mode, key: bytes, identifiers: list[str], places: Sequence[int] = ()
    ) -> Alignment:
        """Return the alignment of these identifiers, with its fingerprint."""
        return cls(id, peer, mode, key, identifiers, fingerprint(key, identifiers), list(places))

    def __repr__(self) -> str:
        return f"Alignment({self.id!r}, peer={self.peer!r}, {self.mode}, {len(self.identifiers)} rows)"

    def to_bytes(self) -> bytes:
        """Return a version byte and MessagePack."""
        return bytes([FORMAT_VERSION]) + msgspec.msgpack.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Alignment:
        """Return what :meth:`to_bytes` wrote.

        Raises:
            StateError: the bytes are of another version, damaged, or do not match their fingerprint.
        """
        if data[:1] != bytes([FORMAT_VERSION]):
            raise StateError(f"this is not an alignment of format {FORMAT_VERSION}; align again")
        try:
            alignment = msgspec.msgpack.decode(memoryview(data)[1:], type=cls)
        except msgspec.MsgspecError:
            raise StateError("the stored alignment is damaged; align again") from None
        if not hmac.compare_digest(alignment.fingerprint, fingerprint(alignment.key, alignment.identifiers)):
            raise StateError("the stored alignment does not match its fingerprint; align again")
        return alignment

    def positions_in(self, keys: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return int64 [aligned rows]: where each aligned customer stands among canonical keys, distinct.

        Raises:
            NotAligned: aligned customers are not among them.
        """
        position_of = {key: position for position, key in enumerate(keys)}
        positions = [position_of.get(key, -1) for key in self.identifiers]
        if missing := positions.count(-1):
            count = f"{missing} of {len(positions)} customers"
            raise NotAligned(f"{count} of alignment {self.id} are not in the data; align again")
        return np.array(positions, dtype=np.int64)


def fingerprint(key: bytes, identifiers: Sequence[str]) -> bytes:
    """Return the keyed hash of ordered identifiers: HMAC-SHA256 over each one after its length.

    Without the 32-byte key nobody can try customers against it.
    """
    code = hmac.new(key, digestmod=hashlib.sha256)
    for identifier in identifiers:
        encoded = identifier.encode()
        code.update(len(encoded).to_bytes(4, "little") + encoded)
    return code.digest()


def secret_order(count: int) -> npt.NDArray[np.int64]:
    """Return a random permutation of ``count`` rows, from the operating system's generator.

    Sorting random 64-bit numbers: two of a million are equal, and then keep their order, once in
    37 million times.
    """
    return np.argsort(np.frombuffer(secrets.token_bytes(8 * count), np.uint64), kind="stable")
