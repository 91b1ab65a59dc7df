"""Every generated column, with its meaning and unit; documentation is made from this table."""

from __future__ import annotations

from typing import NamedTuple


class Column(NamedTuple):
    """One column of one institution's table."""

    institution: str
    name: str
    meaning: str
    unit: str


KEY = {"bank": "customer_id", "telco": "subscriber", "payments": "payer"}
"""The column that names the customer, in each institution's own word."""

LABEL = "fraud"

COLUMNS = (
    Column("bank", "customer_id", "customer, as in 'AB 1234567'", "key"),
    Column("bank", "fraud", "confirmed fraud within the following 90 days", "0 or 1"),
    Column("bank", "account_age_days", "age of the oldest account", "days"),
    Column("bank", "segment", "student, retail, premium or business", "code 0-3"),
    Column("bank", "balance", "mean balance of the last 90 days; heavy-tailed", "currency"),
    Column(
        "bank", "income", "declared monthly income; missing more often where the account is new", "currency"
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
    Column("payments", "ticket_mean", "mean purchase; heavy-tailed, missing where there is none", "currency"),
    Column("payments", "online_share", "share of purchases online; missing where there is none", "0 to 1"),
    Column(
        "payments", "risky_share", "share at merchants of high risk; missing where there is none", "0 to 1"
    ),
    Column("payments", "velocity_1h", "most authorisations within one hour, of 30 days", "count"),
    Column("payments", "declines_30d", "declined authorisations of the last 30 days", "count"),
    Column("payments", "chargebacks_365d", "chargebacks of the last year", "count"),
    Column("payments", "instruments", "cards and wallets on file", "count"),
    Column("payments", "abroad_share", "share of purchases abroad; missing where there is none", "0 to 1"),
    Column("payments", "scheme", "card scheme; constant", "code"),
)
