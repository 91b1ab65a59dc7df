"""Customers of a bank, a telco and a payment processor, some of them fraudsters.

No institution sees the fraud alone. Four kinds of fraud leave traces in different places, and what
looks suspicious to one institution is often explained by what another one knows: log-ins from abroad by
roaming, many payments within an hour by a business account. The traces are invented, and so are
all rates; only the shapes (counts, heavy tails, shares, gaps) follow what such tables look like.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from data_generators.generator import Array, Generator, Rng, kinds, numbers
from data_generators.people import KNOWN, NUMBERS, STRANGERS, People, key_fields
from data_generators.tables import Column, Key, Schema

KINDS = {"takeover": 0.35, "mule": 0.25, "card": 0.25, "synthetic": 0.15}
"""Kinds of fraud and their shares."""

SCHEMA = Schema(
    keys={
        "bank": Key("customer_id", "{letters} {digits:07d}"),
        "telco": Key("subscriber", "{lower} {digits:07d}"),
        "payments": Key("payer", " {letters}  {digits:07d}"),
    },
    label="fraud",
    columns=(
        Column("bank", "customer_id", "customer, as in 'AB 1234567'", "key"),
        Column("bank", "fraud", "confirmed fraud within the following 90 days", "0 or 1"),
        Column("bank", "account_age_days", "age of the oldest account", "days"),
        Column("bank", "segment", "student, retail, premium or business", "code 0-3"),
        Column("bank", "balance", "mean balance of the last 90 days; heavy-tailed", "currency"),
        Column(
            "bank",
            "income",
            "declared monthly income; missing more often where the account is new",
            "currency",
        ),
        Column("bank", "transactions_30d", "outgoing transactions of the last 30 days", "count"),
        Column("bank", "new_payees_30d", "payees paid for the first time in the last 30 days", "count"),
        Column(
            "bank",
            "largest_payment_30d",
            "largest outgoing payment of the last 30 days; heavy-tailed",
            "currency",
        ),
        Column("bank", "night_share", "share of transactions between 0:00 and 6:00", "0 to 1"),
        Column("bank", "foreign_logins_30d", "log-ins from abroad in the last 30 days", "count"),
        Column("bank", "reactivated", "account was dormant and woke up this year; nearly always 0", "0 or 1"),
        Column("telco", "subscriber", "customer, in lower case, as in 'ab 1234567'", "key"),
        Column("telco", "tenure_days", "age of the contract", "days"),
        Column("telco", "prepaid", "prepaid rather than a contract", "0 or 1"),
        Column("telco", "sim_swaps_90d", "SIM cards replaced in the last 90 days", "count"),
        Column("telco", "device_changes_180d", "changes of handset in the last 180 days", "count"),
        Column(
            "telco",
            "handset_age_days",
            "since the handset was first seen anywhere; missing where it hides",
            "days",
        ),
        Column("telco", "contacts_30d", "different numbers called in the last 30 days", "count"),
        Column("telco", "calls_per_day", "calls a day, mean of 30 days; heavy-tailed", "calls"),
        Column("telco", "night_call_share", "share of calls between 0:00 and 6:00", "0 to 1"),
        Column("telco", "roaming_days_30d", "days abroad in the last 30 days", "days"),
        Column("telco", "forwarding", "calls are forwarded to another number; nearly always 0", "0 or 1"),
        Column("payments", "payer", "customer, with spare blanks, as in ' AB  1234567'", "key"),
        Column("payments", "purchases_30d", "card purchases of the last 30 days", "count"),
        Column("payments", "merchants_30d", "different merchants among them", "count"),
        Column(
            "payments", "ticket_mean", "mean purchase; heavy-tailed, missing where there is none", "currency"
        ),
        Column(
            "payments", "online_share", "share of purchases online; missing where there is none", "0 to 1"
        ),
        Column(
            "payments",
            "risky_share",
            "share at merchants of high risk; missing where there is none",
            "0 to 1",
        ),
        Column("payments", "velocity_1h", "most authorisations within one hour, of 30 days", "count"),
        Column("payments", "declines_30d", "declined authorisations of the last 30 days", "count"),
        Column("payments", "chargebacks_365d", "chargebacks of the last year", "count"),
        Column("payments", "instruments", "cards and wallets on file", "count"),
        Column(
            "payments", "abroad_share", "share of purchases abroad; missing where there is none", "0 to 1"
        ),
        Column("payments", "scheme", "card scheme; constant", "code"),
    ),
)


def _people(n: int, rate: float, rng: Rng) -> People:
    number, kind = numbers(n, NUMBERS, rng), kinds(n, rate, KINDS, rng)
    wealth, activity = rng.normal(size=(2, n))
    return People(number, kind, wealth, activity, rng.random(n) < 0.12, rng.random(n) < 0.08)


def _bank(p: People, rng: Rng) -> dict[str, Any]:
    n, takeover, mule, synthetic = len(p), p.is_("takeover"), p.is_("mule"), p.is_("synthetic")
    age = rng.gamma(2.0, 900.0, n) * np.where(mule, 0.5, 1.0) * np.where(synthetic, 0.3, 1.0)
    segment = np.where(p.business, 3, np.where(p.wealth > 1.2, 2, (rng.random(n) > 0.15).astype(int)))
    income = np.exp(8.0 + 0.5 * p.wealth + rng.normal(0, 0.35, n)) * np.where(synthetic, 1.3, 1.0)
    unknown = rng.random(n) < np.where(age < 400, 0.15, 0.03)
    columns = {
        "account_age_days": age.astype(np.int32),
        "segment": segment,
        "balance": np.exp(7.0 + 0.9 * p.wealth + rng.normal(0, 1.0, n) - 0.5 * mule),
        "income": np.where(unknown, np.nan, income),
        "transactions_30d": rng.poisson(20 * np.exp(0.5 * p.activity) * (1 + 1.5 * p.business)),
        "new_payees_30d": rng.poisson(
            0.7 * np.exp(0.4 * p.activity) * (1 + 2 * p.business) + 1.1 * takeover + 1.1 * mule
        ),
        "largest_payment_30d": np.exp(5.5 + 0.6 * p.wealth + rng.normal(0, 0.9, n) + 0.5 * takeover),
        "night_share": rng.beta(1.5 + 1.0 * p.traveller + 0.6 * mule, 12.0, n),
        "foreign_logins_30d": rng.poisson(0.06 + 1.5 * p.traveller + 0.8 * takeover),
        "reactivated": (rng.random(n) < 0.003 + 0.03 * mule).astype(np.int8),
    }
    return columns


def _telco(p: People, rng: Rng) -> dict[str, Any]:
    n, takeover, mule, synthetic = len(p), p.is_("takeover"), p.is_("mule"), p.is_("synthetic")
    swapped = rng.random(n) < np.where(takeover, 0.55, 0.04)
    # Who loses a phone gets a new SIM and a new handset; who steals a number has an old one ready.
    new_phone = ~takeover & swapped & (rng.random(n) < 0.7)
    handset = rng.gamma(2.0, 330.0, n) * np.where(new_phone, 0.1, 1.0)
    burner = mule | synthetic
    columns = {
        "tenure_days": (rng.gamma(2.0, 800.0, n) * np.where(burner, 0.35, 1.0)).astype(np.int32),
        "prepaid": (rng.random(n) < np.where(burner, 0.75, 0.35)).astype(np.int8),
        "sim_swaps_90d": swapped + rng.poisson(0.01 + 0.2 * (takeover & swapped)),
        "device_changes_180d": new_phone + rng.poisson(0.25 + 0.8 * takeover + 0.3 * burner),
        "handset_age_days": np.where(rng.random(n) < 0.03 + 0.12 * burner, np.nan, handset.round()),
        "contacts_30d": rng.poisson(25 * np.exp(0.5 * p.activity + 0.4 * p.business - 0.9 * burner)),
        "calls_per_day": np.exp(0.8 + 0.5 * p.activity + rng.normal(0, 0.7, n) - 0.5 * burner),
        "night_call_share": rng.beta(1.2 + 0.8 * mule, 14.0, n),
        "roaming_days_30d": np.minimum(rng.poisson(0.05 + 5.0 * p.traveller), 30),
        "forwarding": (rng.random(n) < 0.004 + 0.08 * takeover).astype(np.int8),
    }
    return columns


def _payments(p: People, rng: Rng) -> dict[str, Any]:
    n, takeover, card, synthetic = len(p), p.is_("takeover"), p.is_("card"), p.is_("synthetic")
    purchases = rng.poisson(9 * np.exp(0.8 * p.activity + 0.5 * p.business + rng.normal(0, 0.5, n)))
    some = purchases > 0

    def share(a: Array, b: float) -> Array:
        return np.where(some, rng.beta(a, b), np.nan)

    ticket = np.exp(3.3 + 0.4 * p.wealth + rng.normal(0, 0.6, n) - 0.5 * card)
    columns = {
        "purchases_30d": purchases,
        "merchants_30d": np.ceil(purchases * rng.beta(4.0 + 3.0 * card, 3.0, n)).astype(np.int32),
        "ticket_mean": np.where(some, ticket, np.nan),
        "online_share": share(1.5 + 1.5 * card + 0.8 * synthetic, 2.5),
        "risky_share": share(0.5 + 1.2 * card + 0.8 * takeover + 0.8 * synthetic, 9.0),
        "velocity_1h": 1
        + rng.poisson(0.7 * np.exp(0.4 * p.activity) * (1 + 4 * p.business) + 2.0 * card + 0.6 * takeover),
        "declines_30d": rng.poisson(0.3 + 0.8 * p.business + 1.3 * card + 0.7 * takeover + 0.7 * synthetic),
        "chargebacks_365d": rng.poisson(0.03 + 0.35 * card + 0.2 * synthetic),
        "instruments": 1 + rng.poisson(0.8 + 1.2 * synthetic + 0.5 * card),
        "abroad_share": share(0.4 + 2.0 * p.traveller + 1.0 * card, 8.0),
        "scheme": np.ones(n, np.int8),
    }
    return columns


FRAUD = Generator(
    schema=SCHEMA,
    rate=0.01,
    known=KNOWN,
    strangers=STRANGERS,
    draw=_people,
    makers={"bank": _bank, "telco": _telco, "payments": _payments},
    key_fields=key_fields,
)
