"""Customers of a bank, a telco and a payment processor, some of whom lend their account to launderers.

Money runs through a mule's account in hours. The bank sees it pass, but so it does with traders, with
families that send money abroad, and with people who split rent. The telco sees who shares a handset
with strangers or got a fresh number; the processor sees where the money leaves: crypto exchanges, gift
cards, wallets that many people share, and it also knows who is a trader. Each explains a part of what
the others find suspicious. The traces and all rates are invented; only the shapes follow what such
tables look like.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from data_generators.generator import Array, Generator, Population, Rng, kinds, numbers
from data_generators.people import KNOWN, NUMBERS, STRANGERS, key_fields
from data_generators.tables import Column, Key, Schema

KINDS = {"recruited": 0.35, "sold": 0.3, "synthetic": 0.2, "deceived": 0.15}
"""Kinds of mules and their shares: for a fee, by selling the account, invented people, victims of a lie."""

SCHEMA = Schema(
    keys={
        "bank": Key("customer_id", "{letters} {digits:07d}"),
        "telco": Key("subscriber", "{lower} {digits:07d}"),
        "payments": Key("payer", " {letters}  {digits:07d}"),
    },
    label="mule",
    columns=(
        Column("bank", "customer_id", "customer, as in 'AB 1234567'", "key"),
        Column("bank", "mule", "confirmed as a money mule within the following 60 days", "0 or 1"),
        Column("bank", "account_age_days", "age of the account", "days"),
        Column("bank", "age", "of the customer", "years"),
        Column("bank", "amount", "received within 30 days, but for wages; heavy-tailed", "currency"),
        Column("bank", "senders_30d", "different people who sent money", "count"),
        Column("bank", "new_senders_30d", "senders who never did before", "count"),
        Column("bank", "passed_24h", "share of what came in that left within a day", "0 to 1"),
        Column("bank", "balance_low", "lowest balance of 30 days over the mean; missing where new", "0 to 1"),
        Column("bank", "cash_30d", "withdrawals in cash", "count"),
        Column("bank", "instant_share", "share of payments out that are instant", "0 to 1"),
        Column("bank", "abroad_share", "share of payments out that leave the country", "0 to 1"),
        Column("bank", "wages", "gets wages on this account", "0 or 1"),
        Column("telco", "subscriber", "customer, in lower case, as in 'ab 1234567'", "key"),
        Column("telco", "tenure_days", "age of the contract", "days"),
        Column("telco", "prepaid", "prepaid rather than a contract", "0 or 1"),
        Column("telco", "numbers_on_handset", "phone numbers used in the same handset, of a year", "count"),
        Column("telco", "handsets_90d", "handsets in which the number was used", "count"),
        Column("telco", "sim_age_days", "since the SIM card was replaced", "days"),
        Column("telco", "new_contacts_30d", "numbers called or called by for the first time", "count"),
        Column("telco", "foreign_calls_30d", "calls with numbers abroad", "count"),
        Column("telco", "long_calls_30d", "calls of over 30 minutes from a new number", "count"),
        Column("telco", "home_share", "share of nights at the usual cell; missing where new", "0 to 1"),
        Column("telco", "forwarding", "calls are forwarded; nearly always 0", "0 or 1"),
        Column("payments", "payer", "customer, with spare blanks, as in ' AB  1234567'", "key"),
        Column("payments", "payments_30d", "payments by card and wallet", "count"),
        Column("payments", "crypto_share", "share to crypto exchanges; missing where none", "0 to 1"),
        Column("payments", "gift_cards_30d", "gift cards and vouchers bought", "count"),
        Column("payments", "devices_shared", "other customers who paid from the same device", "count"),
        Column("payments", "instruments", "cards, accounts and wallets on file", "count"),
        Column("payments", "instrument_age_days", "since the newest was added", "days"),
        Column("payments", "transfers_30d", "transfers to other people's wallets", "count"),
        Column("payments", "sales_90d", "payments received as a seller; a trader has many", "count"),
        Column("payments", "declines_30d", "declined payments", "count"),
        Column("payments", "topups_24h", "most top-ups of a wallet within a day", "count"),
    ),
)


@dataclass(frozen=True)
class Holders(Population):
    """Account holders; activity is standard normal, age in years, the others true or false."""

    activity: Array
    age: Array
    trader: Array
    sends_home: Array
    sharer: Array


def _holders(n: int, rate: float, rng: Rng) -> Holders:
    number, kind = numbers(n, NUMBERS, rng), kinds(n, rate, KINDS, rng)
    young, old = np.isin(kind, ("recruited", "sold")), kind == "deceived"
    age = np.clip(np.where(young, rng.gamma(9.0, 4.2, n), rng.gamma(9.0, 5.0, n)) + 8 * old, 16, 95)
    trader, sends_home, sharer = (rng.random(n) < share for share in (0.07, 0.06, 0.1))
    return Holders(number, kind, rng.normal(size=n), age, trader, sends_home, sharer)


def _bank(h: Holders, rng: Rng) -> dict[str, Any]:
    n, mule, synthetic = len(h), h.is_(*KINDS), h.is_("synthetic")
    account_age = rng.gamma(2.0, 900.0, n) * np.where(synthetic, 0.5, 1.0) * np.where(h.is_("sold"), 0.8, 1.0)
    senders = rng.poisson(1.5 * np.exp(0.4 * h.activity) + 7 * h.trader + 3 * h.sharer + 0.5 * mule)
    busy = h.trader | h.sends_home | mule
    low = np.where(account_age < 90, np.nan, rng.beta(2.0 - 0.6 * busy, 3.0, n))
    return {
        "account_age_days": account_age.astype(np.int32),
        "age": h.age.astype(np.int32),
        "amount": np.exp(5.5 + 0.5 * h.activity + rng.normal(0, 0.9, n) + 1.0 * h.trader + 0.4 * mule),
        "senders_30d": senders,
        "new_senders_30d": rng.binomial(senders, np.where(mule, 0.4, np.where(h.trader, 0.7, 0.3))),
        "passed_24h": rng.beta(
            1.2 + 0.8 * mule + 1.5 * h.sends_home + 0.8 * h.trader + 1.0 * h.sharer, 4.0, n
        ),
        "balance_low": low,
        "cash_30d": rng.poisson(2.0 + 0.6 * h.is_("recruited", "sold") + 1.0 * h.sends_home),
        "instant_share": rng.beta(1.5 + 0.5 * mule + 0.8 * h.sharer, 4.0, n),
        "abroad_share": rng.beta(0.4 + 3.0 * h.sends_home + 0.4 * h.is_("deceived", "sold"), 8.0, n),
        "wages": (rng.random(n) < np.where(h.trader | synthetic, 0.4, 0.65)).astype(np.int8),
    }


def _telco(h: Holders, rng: Rng) -> dict[str, Any]:
    n, sold, synthetic = len(h), h.is_("sold"), h.is_("synthetic")
    recruited, deceived = h.is_("recruited"), h.is_("deceived")
    tenure = rng.gamma(2.0, 800.0, n) * np.where(synthetic, 0.2, np.where(sold, 0.5, 1.0))
    fresh = sold | synthetic
    return {
        "tenure_days": tenure.astype(np.int32),
        "prepaid": (rng.random(n) < np.where(fresh, 0.8, np.where(h.age < 25, 0.5, 0.28))).astype(np.int8),
        "numbers_on_handset": 1 + rng.poisson(0.25 + 0.5 * h.sharer + 1.8 * sold + 1.6 * synthetic),
        "handsets_90d": 1 + rng.poisson(0.2 + 0.6 * sold + 0.3 * recruited),
        "sim_age_days": rng.gamma(1.5, 500.0, n) * np.where(sold, 0.35, 1.0),
        "new_contacts_30d": rng.poisson(
            6 * np.exp(0.5 * h.activity) + 12 * h.trader + 7 * recruited + 2 * deceived
        ),
        "foreign_calls_30d": rng.poisson(0.4 + 6 * h.sends_home + 2.0 * deceived + 1.6 * recruited),
        "long_calls_30d": rng.poisson(0.15 + 0.2 * h.trader + 1.6 * deceived + 0.3 * recruited),
        "home_share": np.where(tenure < 60, np.nan, rng.beta(7.0 - 3.5 * sold, 1.8, n)),
        "forwarding": (rng.random(n) < 0.005 + 0.08 * sold).astype(np.int8),
    }


def _payments(h: Holders, rng: Rng) -> dict[str, Any]:
    n, recruited, sold = len(h), h.is_("recruited"), h.is_("sold")
    synthetic, deceived = h.is_("synthetic"), h.is_("deceived")
    count = rng.poisson(10 * np.exp(0.6 * h.activity + rng.normal(0, 0.5, n)))
    crypto = rng.beta(0.35 + 1.5 * recruited + 0.9 * sold + 0.4 * deceived, 9.0, n)
    return {
        "payments_30d": count,
        "crypto_share": np.where(count > 0, crypto, np.nan),
        "gift_cards_30d": rng.poisson(0.25 + 1.3 * deceived + 0.6 * recruited),
        "devices_shared": rng.poisson(0.2 + 0.4 * h.sharer + 1.2 * synthetic + 1.3 * sold),
        "instruments": 1 + rng.poisson(0.9 + 0.5 * h.trader + 1.4 * synthetic),
        "instrument_age_days": rng.gamma(1.5, 250.0, n) * np.where(recruited | synthetic, 0.35, 1.0),
        "transfers_30d": rng.poisson(1.0 + 2.0 * h.sharer + 1.5 * recruited),
        "sales_90d": rng.poisson(0.3 + 25 * h.trader),
        "declines_30d": rng.poisson(0.3 + 0.4 * h.trader + 0.7 * synthetic + 0.4 * sold),
        "topups_24h": rng.poisson(0.3 + 0.5 * h.sends_home + 1.0 * recruited + 0.6 * deceived),
    }


MULES = Generator(
    schema=SCHEMA,
    rate=0.01,
    known=KNOWN,
    strangers=STRANGERS,
    draw=_holders,
    makers={"bank": _bank, "telco": _telco, "payments": _payments},
    key_fields=key_fields,
)
