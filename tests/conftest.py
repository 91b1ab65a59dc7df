"""Fixtures of all tests: a key, and feature parties held in memory."""

from __future__ import annotations

import pytest

from parties.config.files import remove_unpacked_library
from tests.support.memory import Consortium
from vfl.crypto.paillier import PrivateKey, generate


@pytest.fixture(scope="session")
def private_key() -> PrivateKey:
    """A Paillier key of the least length that protects data."""
    return generate(2048)


@pytest.fixture(scope="session")
def consortium() -> type[Consortium]:
    """The class `Consortium`, for tests that build their own."""
    return Consortium


def pytest_sessionfinish() -> None:
    """Remove the library that `rbcl` has unpacked for this process; a party's commands do so themselves."""
    remove_unpacked_library()
