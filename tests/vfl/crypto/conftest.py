"""Keys that the cryptography tests share: making a 2048-bit key takes a second."""

import pytest

from vfl.crypto import paillier


@pytest.fixture(scope="session")
def private_key():
    return paillier.generate(2048)


@pytest.fixture(scope="session")
def short_key():
    return paillier.unsafe_generate(256)
