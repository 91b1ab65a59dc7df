"""The training benchmark: its workloads, and what it says without its data."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.train import DATA, SETTINGS, main, w1, w2


def test_without_the_data_it_says_where_to_look(tmp_path: Path) -> None:
    """Missing data ends with exit status 2 and names --data."""
    result = CliRunner().invoke(main, ["--workload", "w1", "--data", str(tmp_path)])
    assert result.exit_code == 2
    assert "--data" in result.output
    assert "w1_bank.parquet" in result.output


@pytest.mark.skipif(not DATA.exists(), reason="the stored workload is not beside the checkout")
def test_w1_is_as_defined() -> None:
    """24,000 rows to train on, 6,000 to test on, 13 and 10 columns."""
    workload = w1(DATA)
    assert (len(workload.bank), len(workload.test)) == (24_000, 6_000)
    assert (workload.bank.shape[1] - 2, workload.partner.shape[1] - 1) == (13, 10)
    assert workload.bank["id"].astype(int).max() < workload.test["id"].astype(int).min()


def test_w2_is_as_defined() -> None:
    """100,000 rows, 20 columns at each party, no test rows."""
    workload = w2(DATA)
    assert (len(workload.bank), len(workload.test)) == (100_000, 0)
    assert (workload.bank.shape[1] - 2, workload.partner.shape[1] - 1) == (20, 20)
    assert 0.2 < workload.bank["y"].mean() < 0.6


def test_settings_are_those_of_the_peers() -> None:
    """Depth 5, learning rate 0.3, lambda 1 and 32 bins, as the figures to compare with were measured."""
    assert (SETTINGS.max_depth, SETTINGS.learning_rate, SETTINGS.reg_lambda, SETTINGS.max_bin) == (
        5,
        0.3,
        1,
        32,
    )
