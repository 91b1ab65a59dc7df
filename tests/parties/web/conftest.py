"""The scoring API of a bank with a published model and two served feature parties."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
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

# The same bank and feature parties as those of the service's own tests.
_spec = importlib.util.spec_from_file_location(
    "serving_world", Path(__file__).parent.parent / "serving" / "conftest.py"
)
assert _spec
assert _spec.loader
_module = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _module
_spec.loader.exec_module(_module)
_world, world = _module._world, _module.world


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
def _serving_api(config: Config, scores: dict[str, float]) -> Iterator[Api]:
    with Service(config) as service:
        deadline = time.monotonic() + 10
        while set(service.ready().partners.values()) != {"answering"} and time.monotonic() < deadline:
            time.sleep(0.01)
        app = create_api(config, service)
        keys = ApiKeys(database.connect(config))
        _, key = keys.create("tests", None, rate=1_000_000)
        yield Api(config, app, app.test_client(), keys, key, scores)


@pytest.fixture(scope="session")
def _published(_world: Any) -> Any:
    publish(_world.bank, "m1")
    return _world


@pytest.fixture(scope="session")
def _api(_published: Any) -> Iterator[Api]:
    with _serving_api(_published.bank, _published.scores) as api:
        yield api


@pytest.fixture
def api(_api: Api, world: Any) -> Api:
    """The API with all feature parties up and well."""
    return _api._replace(client=_api.app.test_client())


@pytest.fixture
def serving_api(_published: Any, world: Any) -> Callable[..., Any]:
    """A context manager with an API of its own, with other settings of ``[api]``."""

    def start(**settings: Any) -> Any:
        section = msgspec.structs.replace(world.bank.api, **settings)
        return _serving_api(msgspec.structs.replace(world.bank, api=section), world.scores)

    return start
