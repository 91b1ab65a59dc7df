"""Private keys under a password."""

import pytest

from vfl.crypto.keyfile import HEADER_BYTES, open_sealed, seal
from vfl.errors import KeyFileError, ParameterError


@pytest.fixture(scope="module")
def sealed(private_key):
    return seal(private_key, b"correct horse")


def test_a_sealed_key_opens_with_its_password(private_key, sealed):
    """The same primes come back, and none of their bytes shows."""
    assert open_sealed(sealed, b"correct horse") == private_key
    assert private_key.p.to_bytes(128, "little")[:16] not in sealed


def test_sealing_twice_differs(private_key, sealed):
    """Salt and nonce are fresh each time."""
    assert seal(private_key, b"correct horse") != sealed


def test_every_failure_is_one_error(sealed):
    """A wrong password and any damaged part give the same error, which names neither."""
    damaged = [sealed[:-1], sealed + b"\0", sealed[:20], b"", b"VFLKEY\x02" + sealed[7:]]
    for position in (0, 6, 7, 10, 30, HEADER_BYTES, len(sealed) - 1):
        flipped = bytearray(sealed)
        flipped[position] ^= 1
        damaged.append(bytes(flipped))
    messages = set()
    attempts = [(sealed, b"wrong"), (sealed, b""), *((data, b"correct horse") for data in damaged)]
    for data, password in attempts:
        with pytest.raises(KeyFileError) as caught:
            open_sealed(data, password)
        messages.add(str(caught.value))
    assert len(messages) == 1


def test_an_empty_password_is_refused(private_key):
    """A key file without a password would be no protection."""
    with pytest.raises(ParameterError, match="password"):
        seal(private_key, b"")
