"""The customers of a bank, a telco and a payment processor: gaps and shapes of their columns."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def tables(tell):
    return tell("fraud").tables


def test_gaps_have_reasons(tables) -> None:
    """A few percent are missing, and not at random: new accounts, and customers who bought nothing."""
    bank, payments = tables["bank"], tables["payments"]
    unknown = bank["income"].isna()
    assert 0.02 < unknown.mean() < 0.08
    assert unknown[bank["account_age_days"] < 400].mean() > 2 * unknown.mean()
    assert 0.01 < tables["telco"]["handset_age_days"].isna().mean() < 0.08
    for column in ("ticket_mean", "online_share", "risky_share", "abroad_share"):
        assert (payments[column].isna() == (payments["purchases_30d"] == 0)).all()
    assert 0.005 < payments["ticket_mean"].isna().mean() < 0.08


def test_columns_come_in_all_shapes(tables) -> None:
    """There are heavy tails, few-valued columns, nearly constant ones and a constant one."""
    assert tables["bank"]["balance"].skew() > 5
    assert tables["telco"]["calls_per_day"].skew() > 3
    assert tables["bank"]["segment"].nunique() == 4
    assert 0 < tables["telco"]["forwarding"].mean() < 0.01
    assert 0 < tables["bank"]["reactivated"].mean() < 0.01
    assert tables["payments"]["scheme"].nunique() == 1
