"""The world of `tests.support.serving_world`, made once for the tests of the service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.serving_world import World, serving_world


@pytest.fixture(scope="session")
def _world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with serving_world(tmp_path_factory.mktemp("serving")) as made:
        yield made


@pytest.fixture
def world(_world: World) -> Iterator[World]:
    """The world, with all servers up and well."""
    _world.recover()
    yield _world
    _world.recover()
