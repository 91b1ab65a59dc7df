"""Fixtures of the library's tests."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.support import linear_population


@pytest.fixture(scope="session")
def linear() -> ModuleType:
    """Populations for linear models, and the table that nobody has."""
    return linear_population
