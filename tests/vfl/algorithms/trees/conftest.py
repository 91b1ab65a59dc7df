"""Fixtures of the tests of trees."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.support import grown_trees


@pytest.fixture(scope="session")
def federation() -> ModuleType:
    """Trees grown in one process without encryption, and xgboost as their judge."""
    return grown_trees
