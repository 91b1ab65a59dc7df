"""The report before any message is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from parties.config import Config
from parties.data.check import check

DIRTY = Path("../shared/data/credit_default/bureau_dirty.csv").resolve()


def test_clean_data_has_no_problem(bank: Config) -> None:
    """Every row takes part, and each column's share of missing values is told."""
    found = check(bank)
    assert (found.rows, found.usable_rows, found.problems) == (200, 200, [])
    assert found.missing == {"age": 0.0}


@pytest.mark.skipif(not DIRTY.exists(), reason="needs ../shared/data/credit_default")
def test_a_dirty_file_is_told_in_full(make_party: Any) -> None:
    """40 duplicate keys, 10 empty ones and the column with text come in one report."""
    found = check(make_party("bureau", "feature", source=str(DIRTY)))
    assert (found.rows, found.duplicate_keys, found.duplicate_rows, found.empty_keys) == (5040, 40, 80, 10)
    assert [(problem.column, problem.count) for problem in found.problems] == [
        ("PAY_3", 5),
        ("customer_id", 10),
        ("customer_id", 40),
    ]
    assert found.usable_rows == 0


@pytest.mark.skipif(not DIRTY.exists(), reason="needs ../shared/data/credit_default")
@pytest.mark.parametrize(("on_duplicates", "usable"), [("keep_first", 4990), ("drop", 4950)])
def test_the_owner_decides_what_is_left_out(make_party: Any, on_duplicates: str, usable: int) -> None:
    """With the mistakes decided on, the report says how many rows take part."""
    decided = {"on_duplicates": on_duplicates, "on_empty": "drop", "missing": ["n/a"]}
    found = check(make_party("bureau", "feature", source=str(DIRTY), **decided))
    assert (found.problems, found.usable_rows) == ([], usable)


def test_keys_that_are_not_there_are_a_problem_not_a_crash(make_party: Any) -> None:
    """A wrong key column is told together with everything else."""
    found = check(make_party("bureau", "feature", keys={"customer_id": "client"}, exclude=["nothing"]))
    assert {problem.column for problem in found.problems} >= {"client", "nothing", "customer_id"}
