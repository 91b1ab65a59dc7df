"""Card transactions as the bank that issued the card sees them, and as the acquirer of the terminal does.

The issuer knows its card holders, the acquirer its terminals. Three of four kinds of fraud happen to
card holders who behave as ever, at terminals that do not: cards are tested in bursts, a merchant is in
on it, stolen data are used where many stolen cards are used. The fourth, a card holder's account taken
over, only the issuer sees. What looks suspicious on one side is often explained by the other: a large
payment to a new merchant by a holiday, many cards within an hour by a busy shop. The traces and all
rates are invented; only the shapes follow what such tables look like.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from data_generators.generator import Array, Generator, Population, Rng, kinds, numbers
from data_generators.tables import Column, Key, Schema

KINDS = {"testing": 0.3, "merchant": 0.3, "stolen": 0.28, "takeover": 0.12}
"""Kinds of fraud and their shares."""

DAYS = 60
"""Days over which transactions are spread; those to test on are the last ones."""

SCHEMA = Schema(
    keys={
        "bank": Key("reference", "RRN {first:04d}-{middle:04d}-{last:04d}"),
        "acquirer": Key("rrn", "{first:04d} {middle:04d} {last:04d}"),
    },
    label="fraud",
    beside=("day",),
    columns=(
        Column("bank", "reference", "retrieval reference, as in 'RRN 0123-4567-8901'", "key"),
        Column("bank", "fraud", "charged back as fraud", "0 or 1"),
        Column("bank", "day", "of the transaction, from 0; no feature of a model", "days"),
        Column("bank", "amount", "of the transaction; heavy-tailed", "currency"),
        Column("bank", "amount_to_usual", "amount over the card holder's mean", "times the usual"),
        Column("bank", "hour", "of the day at the card holder's home", "hours"),
        Column("bank", "card_present", "chip or contactless rather than remote", "0 or 1"),
        Column("bank", "card_age_days", "since the card was issued", "days"),
        Column("bank", "transactions_24h", "of this card in the 24 hours before", "count"),
        Column("bank", "declines_7d", "of this card in the 7 days before", "count"),
        Column("bank", "new_merchant", "the card's first payment to this merchant", "0 or 1"),
        Column("bank", "abroad", "the merchant is in another country", "0 or 1"),
        Column("bank", "limit_used", "share of the credit limit; missing for debit cards", "0 to 1"),
        Column("bank", "device_age_days", "of the phone that confirms payments; missing without", "days"),
        Column("acquirer", "rrn", "retrieval reference, as in '0123 4567 8901'", "key"),
        Column("acquirer", "terminal_age_days", "since the terminal's first transaction", "days"),
        Column("acquirer", "category_risk", "of the merchant category, the acquirer's own score", "0 to 1"),
        Column("acquirer", "volume_to_usual", "terminal's volume today over its mean", "times the usual"),
        Column("acquirer", "cards_1h", "different cards at the terminal within the hour", "count"),
        Column(
            "acquirer", "declined_share_1h", "declined attempts at the terminal within the hour", "0 to 1"
        ),
        Column("acquirer", "small_amounts_1h", "attempts below 2 within the hour", "count"),
        Column("acquirer", "card_terminals_24h", "of this acquirer's terminals that saw the card", "count"),
        Column(
            "acquirer", "refund_share_30d", "of the terminal's payments; missing where it is new", "0 to 1"
        ),
        Column("acquirer", "foreign_share_30d", "of the terminal's payments, foreign cards", "0 to 1"),
        Column("acquirer", "distance", "from where the terminal usually is; missing online", "km"),
        Column("acquirer", "account_changed", "merchant's account changed in 30 days; rare", "0 or 1"),
    ),
)


@dataclass(frozen=True)
class Transactions(Population):
    """Transactions: day from 0 to :data:`DAYS`, wealth standard normal, risk of the merchant's trade 0 to 1.

    The others are true or false: made on holiday, remote, at a time of rush, at a young terminal.
    """

    day: Array
    wealth: Array
    holiday: Array
    remote: Array
    rush: Array
    risk: Array
    young: Array


def _transactions(n: int, rate: float, rng: Rng) -> Transactions:
    number, kind = numbers(n, 10**12, rng), kinds(n, rate, KINDS, rng)
    testing, merchant, stolen = (kind == name for name in ("testing", "merchant", "stolen"))
    remote = rng.random(n) < np.select([testing, merchant, stolen], [0.97, 0.5, 0.85], 0.45)
    return Transactions(
        number,
        kind,
        day=rng.random(n) * DAYS,
        wealth=rng.normal(size=n),
        holiday=rng.random(n) < 0.1,
        remote=remote,
        rush=rng.random(n) < 0.08,
        risk=rng.beta(1.5 + 3.5 * stolen + 1.0 * merchant + 0.8 * testing, 7.0, n),
        young=rng.random(n) < np.where(merchant, 0.75, 0.06),
    )


def _bank(t: Transactions, rng: Rng) -> dict[str, Any]:
    n, testing, stolen, takeover = len(t), t.is_("testing"), t.is_("stolen"), t.is_("takeover")
    usual = np.exp(rng.normal(0, 0.8, n) + 0.5 * stolen + 1.1 * takeover + 0.5 * t.holiday - 0.7 * testing)
    credit, confirms = rng.random(n) < 0.45, rng.random(n) < 0.8
    device = np.where(takeover, rng.gamma(1.0, 40.0, n), rng.gamma(1.5, 300.0, n)).round()
    return {
        "day": t.day.astype(np.int32),
        "amount": np.exp(3.4 + 0.4 * t.wealth) * usual,
        "amount_to_usual": usual,
        "hour": np.where(stolen | takeover, rng.uniform(0, 24, n), rng.normal(14.5, 4.5, n) % 24),
        "card_present": (~t.remote).astype(np.int8),
        "card_age_days": rng.gamma(2.0, 350.0, n).astype(np.int32),
        "transactions_24h": rng.poisson(
            1.2 + 1.2 * t.holiday + 1.2 * testing + 0.7 * stolen + 1.5 * takeover
        ),
        "declines_7d": rng.poisson(0.12 + 0.15 * t.holiday + 0.25 * stolen + 0.6 * takeover),
        "new_merchant": (rng.random(n) < np.where(t.is_(*KINDS), 0.7, np.where(t.holiday, 0.8, 0.4))).astype(
            np.int8
        ),
        "abroad": (rng.random(n) < np.where(t.holiday, 0.6, 0.04 + 0.25 * (stolen | takeover))).astype(
            np.int8
        ),
        "limit_used": np.where(credit, rng.beta(1.6 + 1.5 * takeover, 3.0, n), np.nan),
        "device_age_days": np.where(confirms, device, np.nan),
    }


def _acquirer(t: Transactions, rng: Rng) -> dict[str, Any]:
    n, testing, merchant, stolen = len(t), t.is_("testing"), t.is_("merchant"), t.is_("stolen")
    # An honest card may meet a terminal that is under attack at that hour.
    burst = np.where(testing, rng.random(n) < 0.92, rng.random(n) < 0.004)
    age = np.where(t.young, rng.gamma(1.5, 30.0, n), rng.gamma(2.0, 600.0, n))
    attempts = 1 + rng.poisson(5 * np.exp(rng.normal(0, 0.6, n)) * (1 + 5 * t.rush) + 25 * burst)
    # A shop in its first weeks grows, and a sale fills any shop: volume alone says little.
    growth = 0.5 * t.rush + 0.25 * t.young + 0.9 * merchant
    new = (age < 14) & ~merchant
    return {
        "terminal_age_days": age.astype(np.int32),
        "category_risk": t.risk,
        "volume_to_usual": np.exp(rng.normal(0, 0.45, n) + growth + 0.4 * burst),
        "cards_1h": attempts,
        "declined_share_1h": rng.beta(1.0 + 6.0 * burst + 0.6 * stolen, 14.0, n),
        "small_amounts_1h": rng.poisson(0.02 * attempts * (1 + 25 * burst)),
        "card_terminals_24h": 1 + rng.poisson(0.4 + 0.6 * t.holiday + 1.6 * stolen + 0.8 * testing),
        "refund_share_30d": np.where(new, np.nan, rng.beta(1.2 + 2.2 * merchant, 30.0, n)),
        "foreign_share_30d": rng.beta(1.0 + 2.5 * t.holiday + 2.0 * stolen, 9.0, n),
        "distance": np.where(t.remote, np.nan, rng.gamma(0.4, 2.0, n) * (1 + 12 * merchant)),
        "account_changed": (rng.random(n) < 0.01 + 0.25 * merchant).astype(np.int8),
    }


def _key_fields(number: int) -> dict[str, int]:
    """Return the twelve digits of a retrieval reference in three groups."""
    return {"first": number // 10**8, "middle": number // 10**4 % 10**4, "last": number % 10**4}


CARDS = Generator(
    schema=SCHEMA,
    rate=0.01,
    known={"acquirer": 0.85},
    strangers={"acquirer": 0.5},
    draw=_transactions,
    makers={"bank": _bank, "acquirer": _acquirer},
    key_fields=_key_fields,
    first=lambda transactions: transactions.day,
)
