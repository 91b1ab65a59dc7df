"""What two parties keep of an alignment."""

from __future__ import annotations

import hashlib
import hmac

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfl.errors import StateError
from vfl.psi.alignment import Alignment, fingerprint, secret_order

KEY = bytes(range(32))


def test_the_fingerprint_is_hmac_of_length_prefixed_identifiers() -> None:
    """The fingerprint is what anyone computes with HMAC-SHA256 over lengths and UTF-8 text."""
    data = b"\x02\0\0\0C1" + b"\x03\0\0\0\xe9\x9b\xa8"
    assert fingerprint(KEY, ["C1", "雨"]) == hmac.digest(KEY, data, hashlib.sha256)


@given(st.lists(st.text(max_size=3), max_size=4), st.lists(st.text(max_size=3), max_size=4))
def test_fingerprints_agree_exactly_where_identifiers_do(a: list[str], b: list[str]) -> None:
    """Other identifiers, another order or another cut of the same text give another fingerprint."""
    assert (fingerprint(KEY, a) == fingerprint(KEY, b)) == (a == b)
    assert fingerprint(KEY, a) != fingerprint(bytes(32), a)


def test_bytes_round_trip() -> None:
    """An alignment is read back as it was written."""
    alignment = Alignment.fix("spring", "telco", "inner", KEY, ["雨", "C1"])
    assert Alignment.from_bytes(alignment.to_bytes()) == alignment


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda data: b"", "format 1"),
        (lambda data: b"\x02" + data[1:], "format 1"),
        (lambda data: data[:-1], "damaged"),
        (lambda data: data[:1] + msgspec.msgpack.encode({"id": "x"}), "damaged"),
        (lambda data: data.replace(b"C1", b"C2"), "fingerprint"),
    ],
)
def test_spoilt_bytes_are_refused(spoil, says: str) -> None:
    """A stored alignment that was cut, changed or written by another version is refused."""
    data = Alignment.fix("spring", "telco", "left", KEY, ["C1"]).to_bytes()
    with pytest.raises(StateError, match=says):
        Alignment.from_bytes(spoil(data))


def test_the_repr_names_no_customer() -> None:
    """What a log would show of an alignment holds neither identifiers nor the key."""
    shown = repr(Alignment.fix("spring", "telco", "left", KEY, ["ALICE"]))
    assert "ALICE" not in shown
    assert "x01" not in shown
    assert "1 rows" in shown


def test_secret_order_is_a_permutation() -> None:
    """Every row comes once, and not twice in the same order."""
    first, second = secret_order(1000), secret_order(1000)
    assert np.array_equal(np.sort(first), np.arange(1000))
    assert not np.array_equal(first, second)
