"""Money mules: who is suspected wrongly by one side, and cleared by another."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def joined(tell):
    return tell("mules").pooled("bank")


def test_traders_look_like_mules_to_the_bank_only(joined) -> None:
    """Many new senders are a trader's far more often than a mule's, and the processor knows the traders."""
    busy = joined[joined["new_senders_30d"] > 5]
    known = busy[busy["sales_90d"].notna()]
    assert (known["sales_90d"] > 8).mean() > 0.7
    assert busy["mule"].mean() < 0.1


def test_gaps_have_reasons(joined) -> None:
    """Accounts, contracts and wallets that are new or unused lack what needs a history."""
    assert joined["balance_low"].isna()[joined["account_age_days"] < 90].all()
    assert not joined["balance_low"].isna()[joined["account_age_days"] >= 90].any()
    assert joined["crypto_share"].isna()[joined["payments_30d"] == 0].all()
    assert 0 < joined["home_share"].isna()[joined["tenure_days"].notna()].mean() < 0.1
