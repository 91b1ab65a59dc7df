"""What there is to know of a party's data before any message is sent. Names and counts, never values."""

from __future__ import annotations

import msgspec
import numpy as np

from parties.config import Config
from parties.config.settings import Data
from parties.data import connectors
from parties.data.connectors.table import examine
from vfl.errors import DataError
from vfl.psi.identifiers import IdentifierReport, Recipe, prepare


class Mistake(msgspec.Struct, frozen=True):
    """A column that cannot be used: how many values are concerned, and what to do."""

    column: str
    count: int
    text: str


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """The report on a source.

    Attributes:
        rows: rows of the source.
        usable_rows: rows that take part; 0 while there are problems.
        empty_keys: rows without a usable key.
        duplicate_keys: keys that more than one row has; ``duplicate_rows`` are those rows.
        missing: for each feature column the share of values that are missing, 0 to 1.
        problems: everything that stops the source from being used.
    """

    rows: int
    usable_rows: int
    empty_keys: int
    duplicate_keys: int
    duplicate_rows: int
    missing: dict[str, float]
    problems: list[Mistake]


def check(config: Config) -> Check:
    """Read ``[data]`` and report on it.

    Raises:
        DataError, ConfigError: the source cannot be read at all.
    """
    table, found = examine(connectors.read(config), config.data)
    problems = [Mistake(problem.column, problem.count, problem.text) for problem in found]
    key = " + ".join(config.data.keys.values())
    found_keys: IdentifierReport | None = None
    try:
        found_keys = prepare(
            table.keys, Recipe.parse(config.data.recipe), on_duplicates="keep_first", on_empty="drop"
        ).report
        problems += _key_problems(config.data, key, found_keys)
    except DataError as error:
        problems.append(Mistake(key, table.rows, str(error)))
    missing = np.isnan(table.columns).mean(axis=0) if table.rows else np.zeros(len(table.names))
    return Check(
        rows=table.rows,
        usable_rows=_usable(config.data, found_keys) if found_keys and not problems else 0,
        empty_keys=found_keys.empty if found_keys else table.rows,
        duplicate_keys=found_keys.duplicate_keys if found_keys else 0,
        duplicate_rows=found_keys.duplicate_rows if found_keys else 0,
        missing={name: round(float(part), 6) for name, part in zip(table.names, missing, strict=True)},
        problems=problems,
    )


def _key_problems(data: Data, key: str, found: IdentifierReport) -> list[Mistake]:
    problems = []
    if found.empty and data.on_empty == "refuse":
        text = f"{found.empty} rows have no usable key; mend them, or set data.on_empty to 'drop'"
        problems.append(Mistake(key, found.empty, text))
    if found.duplicate_keys and data.on_duplicates == "refuse":
        text = (
            f"{found.duplicate_keys} keys occur in {found.duplicate_rows} rows; mend them, or set "
            "data.on_duplicates to 'keep_first' or 'drop'"
        )
        problems.append(Mistake(key, found.duplicate_keys, text))
    return problems


def _usable(data: Data, found: IdentifierReport) -> int:
    """Return how many rows take part, from the report of keeping the first row of each key."""
    return found.kept - (found.duplicate_keys if data.on_duplicates == "drop" else 0)
