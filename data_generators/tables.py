"""Tables of institutions: what every column means, and how an institution writes its keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd


class Column(NamedTuple):
    """One column of one institution's table."""

    institution: str
    name: str
    meaning: str
    unit: str


class Key(NamedTuple):
    """How an institution writes the key that it has in common with the others.

    Attributes:
        column: its name there.
        form: a format of the fields that the generator's ``key_fields`` gives for a number.
    """

    column: str
    form: str


DECIMALS = {"currency": 2, "0 to 1": 4, "calls": 4, "km": 1, "times the usual": 3, "hours": 2}
"""Decimals to which columns of a unit are rounded."""


@dataclass(frozen=True)
class Schema:
    """All columns of a story, in the order in which tables have them; documentation is made from it.

    Attributes:
        keys: by institution, the label party first.
        label: the label party's column of labels.
        columns: every column of every institution.
        beside: the label party's columns that say when or where and are no features of a model.
    """

    keys: Mapping[str, Key]
    label: str
    columns: tuple[Column, ...]
    beside: tuple[str, ...] = ()

    @property
    def label_party(self) -> str:
        """The institution that holds the labels."""
        return next(iter(self.keys))

    def features(self, *institutions: str) -> list[str]:
        """Return the names of the columns that a model may use."""
        others = {*(key.column for key in self.keys.values()), self.label, *self.beside}
        return [c.name for c in self.columns if c.institution in institutions and c.name not in others]

    def table(self, institution: str, values: Mapping[str, Any]) -> pd.DataFrame:
        """Return an institution's table, columns in order, money in cents."""
        own = [column for column in self.columns if column.institution == institution]
        decimals = {column.name: DECIMALS[column.unit] for column in own if column.unit in DECIMALS}
        return pd.DataFrame({column.name: values[column.name] for column in own}).round(decimals)
