"""``vfl api-key``: what is printed, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from parties.commands.cli import main
from parties.config import Config
from parties.storage import database
from parties.web.api_keys import ApiKeys


@pytest.fixture
def run(bank: Config) -> Any:
    def call(command: str, *arguments: str) -> Any:
        return CliRunner().invoke(main, ["api-key", command, str(bank.directory), *arguments])

    return call


def test_a_key_is_made_listed_and_revoked(run: Any, bank: Config) -> None:
    """The key is printed once, by itself; the list has its id and never the key."""
    made = run("create", "--name", "core", "--model", "cards", "--rate", "5")
    text = made.output.strip()
    key = ApiKeys(database.connect(bank)).find(text)
    assert key is not None
    assert (key.name, key.models, key.rate) == ("core", ["cards"], 5)
    assert f"{key.id}  core: cards; 5/s" in run("list").output
    assert text not in run("list").output + run("list", "--json").output
    assert run("revoke", key.id).exit_code == 0
    assert "revoked" in run("list").output
    assert ApiKeys(database.connect(bank)).find(text) is None
    assert run("revoke", key.id).exit_code == 1


def test_all_models_have_to_be_asked_for(run: Any) -> None:
    """A key is for named models, or for all in so many words; not both, and never by default."""
    assert run("create", "--name", "core").exit_code == 2
    assert run("create", "--name", "core", "--model", "m", "--all-models").exit_code == 2
    made = run("create", "--name", "core", "--all-models", "--json")
    assert json.loads(made.output)["models"] is None
    assert run("list").output.count("all models") == 1


def test_a_feature_party_has_no_keys(bureau: Config) -> None:
    """Keys are for the scoring API, which a label party has."""
    result = CliRunner().invoke(main, ["api-key", "list", str(bureau.directory)])
    assert (result.exit_code, "feature party" in result.output) == (1, True)
