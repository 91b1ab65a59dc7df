"""A report on a party's data before any message is sent. Names and counts, never values."""

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
        missing: for each feature column the fraction of values that are missing, 0 to 1.
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
    table, table_problems = examine(connectors.read(config), config.data)
    problems = [Mistake(problem.column, problem.count, problem.text) for problem in table_problems]
    key = " + ".join(config.data.keys.values())
    key_report: IdentifierReport | None = None
    try:
        key_report = prepare(
            table.keys, Recipe.parse(config.data.recipe), on_duplicates="keep_first", on_empty="drop"
        ).report
        problems += _key_problems(config.data, key, key_report)
    except DataError as error:
        problems.append(Mistake(key, table.rows, str(error)))
    missing = np.isnan(table.columns).mean(axis=0) if table.rows else np.zeros(len(table.names))
    return Check(
        rows=table.rows,
        usable_rows=_usable(config.data, key_report) if key_report and not problems else 0,
        empty_keys=key_report.empty if key_report else table.rows,
        duplicate_keys=key_report.duplicate_keys if key_report else 0,
        duplicate_rows=key_report.duplicate_rows if key_report else 0,
        missing={
            name: round(float(fraction), 6) for name, fraction in zip(table.names, missing, strict=True)
        },
        problems=problems,
    )


def _key_problems(data: Data, key: str, report: IdentifierReport) -> list[Mistake]:
    problems = []
    if report.empty and data.on_empty == "refuse":
        text = f"{report.empty} rows have no usable key; fix them, or set data.on_empty to 'drop'"
        problems.append(Mistake(key, report.empty, text))
    if report.duplicate_keys and data.on_duplicates == "refuse":
        text = (
            f"{report.duplicate_keys} keys occur in {report.duplicate_rows} rows; fix them, or set "
            "data.on_duplicates to 'keep_first' or 'drop'"
        )
        problems.append(Mistake(key, report.duplicate_keys, text))
    return problems


def _usable(data: Data, report: IdentifierReport) -> int:
    """Return how many rows take part, from the report of keeping the first row of each key."""
    return report.rows_with_key - (report.duplicate_keys if data.on_duplicates == "drop" else 0)
