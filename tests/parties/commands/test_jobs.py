"""``vfl jobs``: what runs and what ran at a feature party, and the trainings under way of a label party."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from parties.commands.cli import main
from parties.config import Config
from parties.label.party import LabelParty
from vfl.algorithms.trees.params import TreeParams

PARAMS = TreeParams(n_estimators=2, max_depth=2, max_bin=8)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["jobs", *map(str, arguments)])


def listed(directory: Path, *options: str) -> list[dict[str, Any]]:
    result = run("list", directory, *options, "--json")
    assert result.exit_code == 0, result.output
    records: list[dict[str, Any]] = json.loads(result.stdout)
    return records


class Stopped(Exception):
    """Ends a training where it stands."""


def stop(rounds: int, total: int, what: str) -> None:
    if rounds == 1:
        raise Stopped


@pytest.fixture
def parties(
    bank: Config, bureau: Config, serve: Callable[[Config], str], join: Any, monkeypatch: pytest.MonkeyPatch
) -> tuple[Config, Config]:
    """A bank that has aligned with a bureau, and whose training was broken off after a tree."""
    monkeypatch.setenv("VFL_PASSWORD", "test")
    joined = join(bank, bureau, serve(bureau))
    with LabelParty(joined) as label:
        label.align(name="a1")
        with pytest.raises(Stopped):
            label.train(name="m1", params=PARAMS, on_progress=stop)
    return joined, bureau


def test_jobs_of_a_feature_party_are_listed_and_shown(parties: tuple[Config, Config]) -> None:
    """The newest first, with what they make; filters leave out other peers and jobs that have ended."""
    directory = parties[1].directory
    records = listed(directory)
    assert [(each["peer"], each["kind"], each["subject"]) for each in records] == [
        ("bank", "train", "m1"),
        ("bank", "align", "a1"),
    ]
    assert records[1]["state"] == "closed"
    assert listed(directory, "--open") == records[:1]
    assert listed(directory, "--peer", "nobody") == []
    text = run("list", directory).output
    assert text.splitlines()[2].startswith(f"{records[0]['job'][:12]}  bank  train")
    assert json.loads(run("show", directory, records[1]["job"][:8], "--json").stdout) == records[1]
    assert "no job" in run("list", directory, "--peer", "nobody").output
    assert "0 jobs begin with zz" in run("show", directory, "zz").output


def test_a_label_party_lists_its_trainings_under_way(parties: tuple[Config, Config]) -> None:
    """It records no jobs, and says so; a training that ended is not listed."""
    bank = parties[0]
    text = run("list", bank.directory).output
    assert "a label party records no jobs" in text
    assert "m1     trees      a1              1" in text
    (training,) = listed(bank.directory, "--peer", "bureau")
    assert (training["model"], training["algorithm"], training["rounds"]) == ("m1", "trees", 1)
    assert json.loads(run("show", bank.directory, "m1", "--json").stdout) == training
    assert listed(bank.directory, "--peer", "nobody") == []
    with LabelParty(bank) as label:
        label.resume("m1")
    assert "no training under way" in run("list", bank.directory).output
