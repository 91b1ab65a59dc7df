"""Card transactions: time, references, gaps, and which side sees which fraud."""

from __future__ import annotations

import pytest

from data_generators.cards import DAYS


@pytest.fixture(scope="module")
def tables(tell):
    return tell("cards").tables


def test_transactions_to_test_on_are_the_last_ones(tables) -> None:
    """Days run from 0 to the last one, in order, and testing begins where training ends."""
    train, test = tables["bank"]["day"], tables["bank_test"]["day"]
    assert train.is_monotonic_increasing
    assert test.is_monotonic_increasing
    assert train.min() == 0
    assert train.max() <= test.min()
    assert test.max() == DAYS - 1


def test_the_day_is_no_feature(tell) -> None:
    """A model that learnt the day would know nothing of tomorrow; it is there to count alerts by."""
    schema = tell("cards").schema
    assert "day" not in schema.features("bank")
    assert "amount" in schema.features("bank")


def test_references_have_twelve_digits(tables) -> None:
    """Both write the same reference, each in its own way."""
    assert tables["bank"]["reference"].str.fullmatch(r"RRN \d{4}-\d{4}-\d{4}").all()
    assert tables["acquirer"]["rrn"].str.fullmatch(r"\d{4} \d{4} \d{4}").all()


def test_gaps_have_reasons(tables) -> None:
    """Debit cards have no limit, remote payments no distance, new terminals no refunds yet."""
    assert 0.4 < tables["bank"]["limit_used"].isna().mean() < 0.7
    assert 0.3 < tables["acquirer"]["distance"].isna().mean() < 0.6
    new = tables["acquirer"]["terminal_age_days"] < 14
    assert tables["acquirer"]["refund_share_30d"].isna()[new].mean() > 0.5
    assert not tables["acquirer"]["refund_share_30d"].isna()[~new].any()


def test_a_terminal_under_attack_meets_honest_cards_too(tell) -> None:
    """Bursts of small declined amounts are mostly fraud, and never all of it."""
    joined = tell("cards").pooled("bank")
    burst = joined[(joined["small_amounts_1h"] > 5) & (joined["declined_share_1h"] > 0.2)]
    assert 0.2 < burst["fraud"].mean() < 0.9
