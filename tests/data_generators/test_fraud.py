"""The generated institutions: who knows whom, what is missing, and that no one sees the fraud alone."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from xgboost import XGBClassifier

from data_generators.columns import COLUMNS, KEY, LABEL
from data_generators.fraud import KNOWN, STRANGERS, generate, write

ROWS = 20_000


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return generate(ROWS)


def canonical(keys: pd.Series) -> pd.Series:
    return keys.str.strip().str.replace(r"\s+", " ", regex=True).str.upper()


def pooled(tables: dict[str, pd.DataFrame], part: str) -> pd.DataFrame:
    """Return a bank table with the partners' columns joined on the left."""
    joined = tables[part].assign(key=canonical(tables[part][KEY["bank"]]))
    for partner in KNOWN:
        columns = tables[partner].assign(key=canonical(tables[partner][KEY[partner]]))
        joined = joined.merge(columns, on="key", how="left")
    return joined


def names(*institutions: str) -> list[str]:
    words = {*KEY.values(), LABEL}
    return [c.name for c in COLUMNS if c.institution in institutions and c.name not in words]


def test_equal_seeds_give_equal_tables() -> None:
    """The same rows and seed give the same tables, and another seed gives others."""
    first, again, other = generate(500, 3), generate(500, 3), generate(500, 4)
    for name, table in first.items():
        pd.testing.assert_frame_equal(table, again[name])
        assert not table.equals(other[name])


def test_every_column_is_explained(tables: dict[str, pd.DataFrame]) -> None:
    """The tables hold the columns of COLUMNS in that order, each with a meaning and a unit."""
    for institution in KEY:
        assert list(tables[institution]) == [c.name for c in COLUMNS if c.institution == institution]
    assert list(tables["bank_test"]) == list(tables["bank"])
    assert all(c.meaning and c.unit for c in COLUMNS)
    assert all(8 <= len(names(institution)) <= 12 for institution in KEY)


def test_one_customer_in_a_hundred_is_a_fraudster(tables: dict[str, pd.DataFrame]) -> None:
    """The fraud rate is about 1% in both tables of the bank."""
    assert 0.008 < tables["bank"][LABEL].mean() < 0.012
    assert 0.005 < tables["bank_test"][LABEL].mean() < 0.015


@pytest.mark.parametrize("part", ["bank", "bank_test"])
@pytest.mark.parametrize("partner", sorted(KNOWN))
def test_partners_know_a_part_of_the_customers(tables, part: str, partner: str) -> None:
    """After making keys alike, a partner knows its stated share of old and of new customers."""
    ours, theirs = canonical(tables[part][KEY["bank"]]), canonical(tables[partner][KEY[partner]])
    assert ours.is_unique
    assert theirs.is_unique
    assert ours.isin(theirs).mean() == pytest.approx(KNOWN[partner], abs=0.02)


@pytest.mark.parametrize("partner", sorted(KNOWN))
def test_partners_have_strangers_and_write_keys_their_own_way(tables, partner: str) -> None:
    """A partner also has customers that no bank table holds; as written, no key is the bank's."""
    both = pd.concat([tables["bank"], tables["bank_test"]])[KEY["bank"]]
    keys = tables[partner][KEY[partner]]
    assert (~canonical(keys).isin(canonical(both))).sum() == STRANGERS[partner] * ROWS
    assert not keys.isin(both).any()


def test_row_orders_are_unrelated(tables: dict[str, pd.DataFrame]) -> None:
    """The order of a partner's rows tells nothing of the order of the bank's, nor of who is a stranger."""
    place = pd.Series(np.arange(ROWS), index=canonical(tables["bank"][KEY["bank"]]))
    for partner in KNOWN:
        found = canonical(tables[partner][KEY[partner]]).map(place)
        assert abs(found.corr(pd.Series(found.index, dtype=float))) < 0.03
        assert abs(found.isna().astype(float).corr(pd.Series(found.index, dtype=float))) < 0.03


def test_gaps_have_reasons(tables: dict[str, pd.DataFrame]) -> None:
    """A few percent are missing, and not at random: new accounts, and customers who bought nothing."""
    bank, payments = tables["bank"], tables["payments"]
    unknown = bank["income"].isna()
    assert 0.02 < unknown.mean() < 0.08
    assert unknown[bank["account_age_days"] < 400].mean() > 2 * unknown.mean()
    assert 0.01 < tables["telco"]["handset_age_days"].isna().mean() < 0.08
    for column in ("ticket_mean", "online_share", "risky_share", "abroad_share"):
        assert (payments[column].isna() == (payments["purchases_30d"] == 0)).all()
    assert 0.005 < payments["ticket_mean"].isna().mean() < 0.08


def test_columns_come_in_all_shapes(tables: dict[str, pd.DataFrame]) -> None:
    """There are heavy tails, few-valued columns, nearly constant ones and a constant one."""
    assert tables["bank"]["balance"].skew() > 5
    assert tables["telco"]["calls_per_day"].skew() > 3
    assert tables["bank"]["segment"].nunique() == 4
    assert 0 < tables["telco"]["forwarding"].mean() < 0.01
    assert 0 < tables["bank"]["reactivated"].mean() < 0.01
    assert tables["payments"]["scheme"].nunique() == 1


def test_nobody_sees_the_fraud_alone() -> None:
    """On customers not trained on, all columns together beat each institution and each pair clearly."""
    tables = generate(30_000, seed=11, test_rows=30_000)
    train, test = pooled(tables, "bank"), pooled(tables, "bank_test")

    def auc(*institutions: str) -> float:
        columns = names(*institutions)
        model = XGBClassifier(n_estimators=40, max_depth=4, learning_rate=0.15, n_jobs=2)
        model.fit(train[columns], train[LABEL])
        return float(roc_auc_score(test[LABEL], model.predict_proba(test[columns])[:, 1]))

    alone = {institution: auc(institution) for institution in KEY}
    together = auc(*KEY)
    assert 0.67 < alone["bank"] < 0.77
    assert 0.87 < together < 0.94
    for pair in combinations(KEY, 2):
        assert max(alone[institution] for institution in pair) < auc(*pair) < together - 0.02


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_files_hold_the_tables(tmp_path, format: str) -> None:
    """What is written is read back equal, whatever the format."""
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet}[format]
    paths = write(tmp_path / "new", rows=300, seed=5, format=format)
    assert [path.name for path in paths] == [
        f"{n}.{format}" for n in ("bank", "bank_test", "telco", "payments")
    ]
    for path, table in zip(paths, generate(300, 5).values(), strict=True):
        pd.testing.assert_frame_equal(read(path), table, check_dtype=format == "parquet")


def test_unknown_formats_are_refused(tmp_path) -> None:
    """A format that is neither of the two is an error before anything is written."""
    with pytest.raises(ValueError, match="csv or parquet"):
        write(tmp_path / "new", format="xls")
    assert not (tmp_path / "new").exists()
