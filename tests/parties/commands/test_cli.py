"""The command line: help with examples, plain errors, JSON, and a server that stops when told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from parties.commands.cli import COMMANDS, main
from parties.config import Config

Run = Callable[..., Result]
IDENTITY = ("--identity", "5" * 64)


@pytest.fixture
def run() -> Run:
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


def commands(group: click.Group = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the way to each command of this package; other packages test their own."""
    for name in group.list_commands(click.Context(group)) if path else COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_shows_an_example(path: tuple[str, ...], run: Run) -> None:
    """--help says what the command does and how it is typed."""
    shown = run(*path, "--help")
    assert shown.exit_code == 0
    assert "Example:" in shown.output
    assert f"vfl {' '.join(path)}" in shown.output.split("Example:")[1]


def test_two_parties_work_together_from_the_command_line(
    run: Run, tmp_path: Path, bank: Config, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an empty directory to scores in a file, with nothing edited by hand."""
    monkeypatch.setenv("VFL_PASSWORD", "test")
    data = Path(bank.data.source)
    pd.read_csv(data).rename(columns={"age": "debt"}).drop(columns="default").to_csv(
        tmp_path / "b.csv", index=False
    )
    for name, role, source in (("label", "label", data), ("other", "feature", tmp_path / "b.csv")):
        made = run(
            "party", "init", tmp_path / name, "--name", name, "--role", role, "--data", source, "--port", 0,
            "--dev-ca", tmp_path / "ca", *(["--label", "default"] if role == "label" else []), "--json",
        )  # fmt: skip
        assert made.exit_code == 0, made.output
    facts = [
        json.loads(run("party", "show", tmp_path / name, "--json").output) for name in ("label", "other")
    ]
    pins = [("--fingerprint", fact["fingerprint"], "--identity", fact["identity"]) for fact in facts]
    grants = [word for kind in ("align", "train", "score", "export") for word in ("--allow", kind)]
    assert run("party", "add-peer", tmp_path / "other", "label", *pins[0], *grants).exit_code == 0
    from parties import config as configuration

    url = serve(configuration.load(tmp_path / "other"))
    added = run("party", "add-peer", tmp_path / "label", "other", *pins[1], "--url", url)
    assert added.exit_code == 0, added.output
    label = tmp_path / "label"
    assert "other knows 200" in run("align", label).output
    trained = run(
        "train", label, "--model", "m1", "--param", "n_estimators=1", "--param", "max_depth=2", "--json"
    )
    assert trained.exit_code == 0, trained.output
    scored = run("score", label, "m1", "--in", data, "--out", tmp_path / "scores.parquet")
    assert scored.exit_code == 0, scored.output
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    assert list(scores.columns) == ["customer_id", "score"]
    assert len(scores) == 200
    assert "ROC-AUC" in run("evaluate", label, "m1").output
    assert run("export", label, "m1", "--xgboost", tmp_path / "m1.json").exit_code == 0
    totals = json.loads(run("audit", "show", label, "--json").output)
    assert {total["outcome"] for total in totals} == {"ok"}
    assert run("audit", "export", tmp_path / "other", "--out", tmp_path / "other.json").exit_code == 0
    verified = run("audit", "verify", label, "--against", tmp_path / "other.json", "--json")
    assert verified.exit_code == 0, verified.output
    verdict = json.loads(verified.output)
    assert (verdict["findings"], verdict["unsigned"], verdict["signed"]) == ([], [], 5)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["align", "nowhere"], "does not exist; create it with: vfl party init"),
        (
            ["train", "{bank}", "--param", "max_dept=3"],
            "max_dept: unknown parameter; did you mean max_depth?",
        ),
        (["train", "{bank}", "--param", "gamma"], "write NAME=VALUE"),
        (["party", "add-peer", "{bank}", "x", "--fingerprint", "12", *IDENTITY], "peers.x.fingerprint"),
        (["score", "{bank}", "m", "--in", "{bank}", "--out", "scores.txt"], "ends in .csv or .parquet"),
    ],
)
def test_errors_are_one_plain_message(
    arguments: list[str], told: str, run: Run, bank: Config, bureau: Config, join: Any
) -> None:
    """A mistake ends with exit code 1 and a sentence that helps, without a traceback."""
    join(bank, bureau, "https://127.0.0.1:9")
    result = run(*(argument.format(bank=bank.directory) for argument in arguments))
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert result.output.startswith("Error: ")
    assert told in result.output
