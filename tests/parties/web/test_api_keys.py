"""Keys of the scoring API: only the very key is good, as long as it is not revoked, and it is not kept."""

from __future__ import annotations

from typing import Any

import pytest

from parties.config import Config
from parties.storage import database
from parties.web.api_keys import REFRESH_SECONDS, ApiKeys
from vfl.errors import ParameterError, StateError


@pytest.fixture
def keys(bank: Config) -> ApiKeys:
    return ApiKeys(database.connect(bank))


def test_a_key_is_found_by_its_text_alone(keys: ApiKeys) -> None:
    """The whole text is needed: its id, its name, a part of it or a changed end are not enough."""
    key, text = keys.create("core", ["cards"])
    assert keys.find(text) == key
    changed = text[:-1] + ("A" if text[-1] != "A" else "B")
    for other in (key.id, key.name, "", "vfl__", f"vfl_{key.id}_", text[:-1], text + "A", changed, "ü_ü_ü"):
        assert keys.find(other) is None


def test_every_key_is_new_and_has_256_random_bits(keys: ApiKeys) -> None:
    """43 characters of base64 are 32 bytes, and no two keys are alike."""
    made = [keys.create("same name", None)[1].split("_", 2) for _ in range(20)]
    assert {len(secret) for _, _, secret in made} == {43}
    assert len({secret for _, _, secret in made}) == len({id for _, id, _ in made}) == 20


def test_the_database_does_not_hold_the_key(keys: ApiKeys, bank: Config) -> None:
    """Neither the secret nor the whole key is anywhere in the files of the party."""
    _, text = keys.create("core", None)
    secret = text.split("_", 2)[2].encode()
    files = [path for path in bank.directory.rglob("*") if path.is_file()]
    assert files
    assert [path.name for path in files if secret in path.read_bytes()] == []


def test_a_revocation_by_another_process_is_effective_without_a_restart(bank: Config) -> None:
    """A server that knows a key refuses it after the next look into the database, within a second."""
    assert REFRESH_SECONDS <= 1.0
    keys = ApiKeys(database.connect(bank), refresh_seconds=0.0)
    key, text = keys.create("core", None)
    assert keys.find(text) is not None
    ApiKeys(database.connect(bank)).revoke(key.id)
    assert keys.find(text) is None
    assert keys.all()[0].revoked is not None


def test_a_key_made_by_another_process_is_good_at_once(keys: ApiKeys, bank: Config) -> None:
    """Who has just made a key need not wait."""
    assert keys.find("vfl_nobody_knows") is None
    _, text = ApiKeys(database.connect(bank)).create("new", None)
    assert keys.find(text) is not None


def test_only_a_good_key_can_be_revoked(keys: ApiKeys) -> None:
    """A wrong id is told, and so is a second revocation."""
    key, _ = keys.create("core", None)
    with pytest.raises(StateError, match="vfl api-key list"):
        keys.revoke("nobody")
    keys.revoke(key.id)
    with pytest.raises(StateError, match="to revoke"):
        keys.revoke(key.id)


def test_a_key_is_for_the_models_it_names(keys: ApiKeys) -> None:
    """A scoped key allows its models, one for all models also those that do not exist yet."""
    scoped, _ = keys.create("core", ["cards", "loans"])
    free, _ = keys.create("core", None)
    assert [scoped.allows(model) for model in ("cards", "loans", "mules")] == [True, True, False]
    assert free.allows("mules")


def test_the_day_of_use_is_kept(keys: ApiKeys) -> None:
    """The list tells the last day on which a key was used."""
    key, _ = keys.create("core", None)
    assert keys.all()[0].used is None
    keys.mark_used(key)
    assert keys.all()[0].used == database.now()[:10]


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"name": "a\nb"}, {"name": "n" * 65}, {"models": []}, {"rate": 0}]
)
def test_a_key_for_nothing_is_not_made(keys: ApiKeys, wrong: dict[str, Any]) -> None:
    """A name that cannot be shown, no model and no rate are refused."""
    with pytest.raises(ParameterError):
        keys.create(**{"name": "core", "models": None, "rate": 1, **wrong})
