"""``vfl plan``: what is not given comes from the party directory, and nobody is asked anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from parties.commands.cli import main
from parties.config import Config
from parties.label.planning import Wanted, predict, work
from vfl.algorithms.trees.cost_model import Link
from vfl.algorithms.trees.params import TreeParams
from vfl.errors import ParameterError


@pytest.fixture
def run() -> Callable[..., Result]:
    return lambda *arguments: CliRunner().invoke(main, ["plan", *map(str, arguments)])


def test_a_plan_is_printed_for_people(run: Any, bank: Config) -> None:
    """Time, traffic and memory of both sides, in units that are read, without a word about progress."""
    shown = run(bank.directory, "--partner-columns", 5, "--partner-columns", 7, "--trees", 3)
    assert shown.exit_code == 0, shown.output
    for text in ("200 rows, 3 trees", "a tree", "partner 2", "7 columns", "bytes a row", "label party"):
        assert text in shown.output
    assert " MB of memory" in shown.output


def test_a_plan_is_printed_for_programs(run: Any, bank: Config) -> None:
    """--json gives the job, the machine that was timed, and the prediction."""
    given = ["--rows", 50_000, "--columns", 4, "--partner-columns", 8, "--bins", 32, "--depth", 5]
    shown = run(bank.directory, *given, "--trees", 10, "--key-bits", 3072, "--profile", "full", "--json")
    assert shown.exit_code == 0, shown.output
    told = json.loads(shown.output)
    assert (told["work"]["rows"], told["work"]["key_bits"], told["work"]["profile"]) == (50_000, 3072, "full")
    assert told["work"]["partners"][0]["bins"] == 8 * 32
    assert told["plan"]["traffic"][0]["to_partner"] == pytest.approx(10 * 50_000 * 768, rel=0.01)
    assert told["plan"]["seconds"] > 10 * told["plan"]["steps"]["encrypt"]


def test_what_is_given_needs_no_data(bank: Config) -> None:
    """With rows and columns given, the data is not read, and columns count as independent."""
    absent = msgspec.structs.replace(bank, data=msgspec.structs.replace(bank.data, source="nowhere.csv"))
    job = work(absent, Wanted(rows=1_000, columns=2, partner_columns=(3,), common=0.5))
    assert (job.rows, job.partners[0].rows, job.partners[0].sums) == (1_000, 500, None)


def test_a_feature_party_plans_with_its_own_columns(bureau: Config) -> None:
    """A feature party's own rows, columns and bins are the partner's of its plan."""
    params = TreeParams(max_bin=8, max_depth=3)
    job = work(msgspec.structs.replace(bureau, model=params), Wanted())
    (partner,) = job.partners
    assert (job.rows, partner.rows, partner.columns) == (200, 200, 2)
    assert partner.bins == 7 + 2
    assert partner.sums is not None
    assert job.memory_limit == 4096 * 2**20


def test_drawn_rows_are_what_is_encrypted(bank: Config) -> None:
    """Row sampling of either kind lowers what a tree takes."""
    wanted = Wanted(rows=10_000, columns=2, partner_columns=(3,))
    for params in (
        TreeParams(subsample=0.3),
        TreeParams(data_sample_strategy="goss", top_rate=0.2, other_rate=0.1),
    ):
        predicted = predict(msgspec.structs.replace(bank, model=params), wanted, Link(1e9, 0.0))
        assert predicted.work.sampled == pytest.approx(0.3)
        assert predicted.plan.traffic[0].to_partner_per_row_and_tree == pytest.approx(0.3 * 512, rel=0.05)


def test_partners_columns_must_be_known(run: Any, bank: Config) -> None:
    """A label party is told that it has to say what its partners have."""
    shown = run(bank.directory)
    assert shown.exit_code == 1
    assert "--partner-columns" in shown.output
    with pytest.raises(ParameterError):
        work(bank, Wanted())
