"""Customers of a bank, a telco and a payment processor, some of them fraudsters.

No institution sees the fraud alone. Four kinds of fraud leave traces in different places, and what
looks suspicious to one institution is often explained by what another one knows: log-ins from abroad by
roaming, many payments within an hour by a business account. The traces are invented, and so are
all rates; only the shapes (counts, heavy tails, shares, gaps) follow what such tables look like.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data_generators.columns import COLUMNS, KEY, LABEL

Array = npt.NDArray[Any]
Rng = np.random.Generator

FRAUD_RATE = 0.01
KINDS = {"takeover": 0.35, "mule": 0.25, "card": 0.25, "synthetic": 0.15}
"""Kinds of fraud and their shares; the codes in ``People.kind`` are 1, 2, ... in this order."""

KNOWN = {"telco": 0.8, "payments": 0.7}
"""Share of the bank's customers that a partner knows."""

STRANGERS = {"telco": 0.3, "payments": 0.4}
"""A partner's customers that the bank does not know, as a share of the bank's rows."""


@dataclass(frozen=True)
class People:
    """What is true of ``n`` people and no institution sees; every array has the shape [n]."""

    number: Array
    kind: Array
    wealth: Array
    activity: Array
    traveller: Array
    business: Array

    def __len__(self) -> int:
        return len(self.number)

    def __getitem__(self, rows: Array) -> People:
        return People(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def is_(self, kind: str) -> npt.NDArray[np.bool_]:
        """Return where people commit this kind of fraud, bool[n]."""
        return np.equal(self.kind, 1 + list(KINDS).index(kind))


def generate(
    rows: int = 20_000, seed: int = 7, test_rows: int | None = None, fraud_rate: float = FRAUD_RATE
) -> dict[str, pd.DataFrame]:
    """Return the tables ``bank``, ``bank_test``, ``telco`` and ``payments``.

    Each has its own row order and its own way to write the customer's key; :data:`COLUMNS` explains
    every column. The partners know customers of ``bank`` and of ``bank_test`` at the same rates.

    Args:
        rows: customers in ``bank``.
        seed: equal seeds give equal tables.
        test_rows: customers in ``bank_test``; a quarter of ``rows`` by default.
        fraud_rate: share of fraudsters; more than in life makes small tables useful.
    """
    test_rows = rows // 4 if test_rows is None else test_rows
    customers = rows + test_rows
    strangers = {name: int(share * rows) for name, share in STRANGERS.items()}
    draw = iter(np.random.default_rng(seed).spawn(5))
    people = _people(customers + sum(strangers.values()), fraud_rate, next(draw))
    bank = _bank(people[np.arange(customers)], next(draw))
    tables = {"bank": bank[:rows], "bank_test": bank[rows:].reset_index(drop=True)}
    rng, first = next(draw), customers
    makers: dict[str, Callable[[People, Rng], pd.DataFrame]] = {"telco": _telco, "payments": _payments}
    for name, maker in makers.items():
        known = np.flatnonzero(rng.random(customers) < KNOWN[name])
        members = np.concatenate([known, np.arange(first, first + strangers[name])])
        first += strangers[name]
        tables[name] = maker(people[rng.permutation(members)], next(draw))
    return tables


def write(
    directory: str | Path,
    rows: int = 20_000,
    seed: int = 7,
    test_rows: int | None = None,
    format: str = "csv",
) -> list[Path]:
    """Write the tables of :func:`generate` as ``csv`` or ``parquet`` files and return their paths."""
    if format not in ("csv", "parquet"):
        raise ValueError(f"format must be csv or parquet, not {format!r}")
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, table in generate(rows, seed, test_rows).items():
        paths.append(directory / f"{name}.{format}")
        if format == "csv":
            table.to_csv(paths[-1], index=False)
        else:
            table.to_parquet(paths[-1], index=False)
    return paths


def _people(n: int, fraud_rate: float, rng: Rng) -> People:
    # An affine map with a prime step: different people, different numbers, and no order in them.
    number = (np.arange(n) * 2_654_435_761 + int(rng.integers(6_760_000_000))) % 6_760_000_000
    kind = rng.choice(
        1 + len(KINDS), n, p=[1 - fraud_rate] + [fraud_rate * share for share in KINDS.values()]
    )
    wealth, activity = rng.normal(size=(2, n))
    return People(number, kind, wealth, activity, rng.random(n) < 0.12, rng.random(n) < 0.08)


def _bank(p: People, rng: Rng) -> pd.DataFrame:
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
    fraud = {LABEL: (p.kind > 0).astype(np.int8)}
    return _table("bank", {KEY["bank"]: _keys(p, "{} {:07d}")} | fraud | columns)


def _telco(p: People, rng: Rng) -> pd.DataFrame:
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
    return _table("telco", {KEY["telco"]: [key.lower() for key in _keys(p, "{} {:07d}")]} | columns)


def _payments(p: People, rng: Rng) -> pd.DataFrame:
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
    return _table("payments", {KEY["payments"]: _keys(p, " {}  {:07d}")} | columns)


def _keys(p: People, form: str) -> list[str]:
    """Return keys: two letters and seven digits, written in an institution's form."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    pairs = [first + second for first in letters for second in letters]
    return [form.format(pairs[number // 10**7], number % 10**7) for number in p.number.tolist()]


def _table(institution: str, columns: dict[str, Any]) -> pd.DataFrame:
    """Return the columns in the order in which the table of columns explains them, money in cents."""
    table = pd.DataFrame({c.name: columns[c.name] for c in COLUMNS if c.institution == institution})
    money = [c.name for c in COLUMNS if c.institution == institution and c.unit == "currency"]
    shares = [c.name for c in COLUMNS if c.institution == institution and c.unit in ("0 to 1", "calls")]
    return table.round({name: 2 for name in money} | {name: 4 for name in shares})
