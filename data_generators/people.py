"""Customers of several institutions, and how each writes a customer's key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from data_generators.generator import Array, Population

NUMBERS = 26 * 26 * 10**7
"""Keys of two letters and seven digits."""

KNOWN = {"telco": 0.8, "payments": 0.7}
"""Share of the bank's customers that a partner knows."""

STRANGERS = {"telco": 0.3, "payments": 0.4}
"""A partner's customers that the bank does not know, as a share of the bank's rows."""


@dataclass(frozen=True)
class People(Population):
    """Customers; wealth and activity are standard normal, the others true or false."""

    wealth: Array
    activity: Array
    traveller: Array
    business: Array


def key_fields(number: int) -> dict[str, Any]:
    """Return the two letters, in both cases, and the seven digits of a customer's key."""
    pair, digits = divmod(number, 10**7)
    letters = chr(ord("A") + pair // 26) + chr(ord("A") + pair % 26)
    return {"letters": letters, "lower": letters.lower(), "digits": digits}
