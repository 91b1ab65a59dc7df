"""A bank and a bureau on real customers, fewer of them and fewer trees."""

from __future__ import annotations

import json
import shutil
import zlib
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from scenarios.command import run
from scenarios.credit_default import FILES, TEST_FRACTION, hold_out

DATA = Path(__file__).parents[3] / "shared" / "data" / "credit_default"
needs_data = pytest.mark.skipif(
    not DATA.exists(), reason=f"{DATA.name}: the data set is not beside the checkout"
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict]:
    """What the scenario prints and its JSON, on one customer in eight."""
    data = tmp_path_factory.mktemp("credit_default")
    for name in ("bank.csv", "bureau.csv"):
        table = pd.read_csv(DATA / name)
        keys = table["customer_id"].str.strip().str.upper()
        table[[zlib.crc32(key.encode()) % 8 == 0 for key in keys]].to_csv(data / name, index=False)
    shutil.copy(DATA / "bureau_dirty.csv", data)
    result = CliRunner().invoke(
        run, ["credit_default", "--data", str(data), "--trees", "2", "--json", str(data / "report.json")]
    )
    assert result.exit_code == 0, result.output
    return result.output, json.loads((data / "report.json").read_text())


@needs_data
def test_together_equals_pooled_and_beats_the_bank(told) -> None:
    """On customers that both know, the ranking is that of pooled columns and far better than the bank's."""
    _, report = told
    assert report["identical_trees"] is True
    assert report["auc_known"]["together"] == pytest.approx(report["auc_known"]["pooled"], abs=0.01)
    if not report["differences"]:
        assert report["auc_known"]["together"] == pytest.approx(report["auc_known"]["pooled"], abs=1e-9)
    assert report["auc"]["together"] > report["auc"]["alone"] + 0.02


@needs_data
def test_the_damaged_file_is_reported_before_anything_is_sent(told) -> None:
    """The check counts duplicate and empty keys and names the text column, before the first phase."""
    output, _ = told
    before, _, _ = output.partition("set up")
    assert "empty keys      10" in before
    assert "duplicate keys  40" in before
    assert "PROBLEM PAY_3: 5 values are text" in before


@needs_data
def test_json_has_the_promised_keys(told) -> None:
    """The report holds what was measured of both parties."""
    _, report = told
    assert set(report["peak_rss_mb"]) == {"bank", "bureau"}
    assert report["key_bits"] == 2048
    assert report["bytes_sent"] > report["bytes_received"] > 0


def test_test_customers_are_drawn_by_key() -> None:
    """A quarter is held out, the same customers whatever the order of rows and the spelling of keys."""
    bank = pd.DataFrame({"customer_id": [f"C{number:05}" for number in range(4_000)]})
    held_out = hold_out(bank)
    assert held_out.mean() == pytest.approx(TEST_FRACTION, abs=0.02)
    shuffled = bank.sample(frac=1, random_state=0)
    assert (hold_out(shuffled) == held_out[shuffled.index]).all()
    assert (hold_out(" " + bank.apply(lambda column: column.str.lower())) == held_out).all()


def test_absent_files_are_named(tmp_path: Path) -> None:
    """A directory without the files ends with a sentence that names them."""
    result = CliRunner().invoke(run, ["credit_default", "--data", str(tmp_path)])
    assert result.exit_code == 2
    assert all(name in result.output for name in FILES)


def test_data_must_be_given() -> None:
    """Without --data the scenario says which files it needs."""
    result = CliRunner().invoke(run, ["credit_default"])
    assert result.exit_code == 2
    assert all(name in result.output for name in FILES)
