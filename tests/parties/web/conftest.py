"""The scoring API of a bank with a published model and two served feature parties."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
import pytest
from flask.testing import FlaskClient

from parties.config import Config
from parties.serving.publish import publish
from parties.serving.service import Service
from parties.storage import database
from parties.web.api import create_api
from parties.web.api_keys import ApiKeys
from tests.support.serving_world import World, serving_world


class Api(NamedTuple):
    """An application, and ways to call it."""

    config: Config
    app: Any
    client: FlaskClient
    keys: ApiKeys
    key: str
    scores: dict[str, float]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, **{"headers": self.headers, **options})

    def score(self, records: Any = None, *, query: str = "", **options: Any) -> Any:
        """Send records, or a whole body as ``data``, to the model m1."""
        body = {} if "data" in options else {"json": {"records": records}}
        given = {"headers": self.headers, **body, **options}
        if "data" in given:
            given.setdefault("content_type", "application/json")
        return self.client.post(f"/v1/models/m1/score{query}", **given)


@contextmanager
def _serving_api(config: Config, scores: dict[str, float], kind: type[Service] = Service) -> Iterator[Api]:
    with kind(config) as service:
        deadline = time.monotonic() + 10
        while set(service.ready().partners.values()) != {"answering"} and time.monotonic() < deadline:
            time.sleep(0.01)
        app = create_api(config, service)
        keys = ApiKeys(database.connect(config))
        _, key = keys.create("tests", None, rate=1_000_000)
        yield Api(config, app, app.test_client(), keys, key, scores)


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


@pytest.fixture(scope="session")
def _published(_world: World) -> World:
    publish(_world.bank, "m1")
    return _world


@pytest.fixture(scope="session")
def _api(_published: World) -> Iterator[Api]:
    with _serving_api(_published.bank, _published.scores) as api:
        yield api


@pytest.fixture
def api(_api: Api, world: World) -> Api:
    """The API with all feature parties up and well."""
    return _api._replace(client=_api.app.test_client())


@pytest.fixture
def serving_api(_published: World, world: World) -> Callable[..., Any]:
    """A context manager with an API of its own, of another kind of service or other settings of ``[api]``."""

    def start(kind: type[Service] = Service, **settings: Any) -> Any:
        section = msgspec.structs.replace(world.bank.api, **settings)
        return _serving_api(msgspec.structs.replace(world.bank, api=section), world.scores, kind)

    return start
