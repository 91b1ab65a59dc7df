"""A source's rows as what the protocols take: key columns and a matrix of numbers.

Every column that cannot be used is found before any is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from parties.config.settings import Data
from vfl.errors import DataError
from vfl.psi.identifiers import key_text


@dataclass(frozen=True)
class Problem:
    """One thing that stops a source from being used. Counts and names, never values."""

    column: str
    count: int
    text: str

    def __str__(self) -> str:
        return f"{self.column}: {self.text}"


class Table(NamedTuple):
    """A party's rows.

    keys: for each key field its values as text, ``""`` where empty, in row order.
    names, columns: the feature columns, ``float32[rows, features]`` with NaN where missing.
    labels, weights, amounts: ``float32[rows]``; the label party's alone, as are the days.
    days: ``int64[rows]``, a number for each day: days since 1970 where they are dates.
    """

    keys: dict[str, list[str]]
    names: list[str]
    columns: npt.NDArray[np.float32]
    labels: npt.NDArray[np.float32] | None
    weights: npt.NDArray[np.float32] | None
    amounts: npt.NDArray[np.float32] | None
    days: npt.NDArray[np.int64] | None

    @property
    def rows(self) -> int:
        return len(self.columns)


def tabulate(frame: pd.DataFrame, data: Data, *, training: bool = True) -> Table:
    """Return the rows of a source.

    Args:
        training: whether the label, weight, amount and day must be there, and every column have a value.

    Raises:
        DataError: lists every column that cannot be used, by name and count.
    """
    table, problems = examine(frame, data, training=training)
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise DataError(f"the data source has {len(problems)} problem(s):{lines}")
    return table


def examine(frame: pd.DataFrame, data: Data, *, training: bool = True) -> tuple[Table, list[Problem]]:
    """Return what can be used of a source, and every problem in it; see :func:`tabulate`."""
    problems = _repeated(frame)
    frame = frame.loc[:, ~frame.columns.duplicated()]
    keys = {field: _text(frame, column, problems) for field, column in data.keys.items()}
    targets = [data.label, data.weight, data.amount] if training else [None] * 3
    labels, weights, amounts = (_target(frame, column, problems) for column in targets)
    days = _days(frame, data.day, problems) if training and data.day is not None else None
    names = _features(frame, data, problems)
    columns = np.full((len(frame), len(names)), np.nan, dtype=np.float32)
    for position, name in enumerate(names):
        columns[:, position] = _numbers(frame, name, problems)
        if training and len(frame) and np.isnan(columns[:, position]).all():
            problems.append(Problem(name, len(frame), "no value is usable; fill or exclude the column"))
    if not len(frame):
        problems.append(Problem("(all)", 0, "the source has no rows"))
    return Table(keys, names, columns, labels, weights, amounts, days), problems


def _repeated(frame: pd.DataFrame) -> list[Problem]:
    counts = frame.columns.value_counts()
    return [
        Problem(str(name), int(count), f"{count} columns have this name; rename or remove all but one")
        for name, count in counts[counts > 1].items()
    ]


def _features(frame: pd.DataFrame, data: Data, problems: list[Problem]) -> list[str]:
    reserved = {*data.keys.values(), data.label, data.weight, *data.exclude} | ({data.day} - {*data.include})
    for name in data.exclude:
        if name not in frame.columns:
            problems.append(Problem(name, 0, "excluded, but there is no such column; correct data.exclude"))
    for name in data.include:
        if name not in frame.columns:
            problems.append(Problem(name, 0, "included, but no such column; correct data.include"))
    present = [str(name) for name in frame.columns]
    names = [name for name in data.include or present if name in present and name not in reserved]
    for name in sorted({column for columns in data.groups.values() for column in columns} - {*names}):
        problems.append(Problem(name, 0, "grouped, but it is no feature column; correct data.groups"))
    if not names:
        problems.append(Problem("(all)", 0, "no feature column is left; see data.include and data.exclude"))
    return names


def _text(frame: pd.DataFrame, column: str, problems: list[Problem]) -> list[str]:
    """Return a key column as text, by `vfl.psi.identifiers.key_text`; a key is never a fraction."""
    if column not in frame.columns:
        problems.append(Problem(column, 0, "there is no such key column; correct data.keys"))
        return [""] * len(frame)
    values = frame[column]
    plain = values.tolist()
    texts = [value if type(value) is str else key_text(value) for value in plain]
    unusable = [value for value, text in zip(plain, texts, strict=True) if text is None]
    if count := sum(isinstance(value, float) for value in unusable):
        problems.append(Problem(column, count, f"{count} keys are fractions; store keys as text"))
    if not unusable:
        return [text or "" for text in texts]
    return [
        text if text is not None else "" if pd.isna(value) else str(value)
        for text, value in zip(texts, plain, strict=True)
    ]


def _target(
    frame: pd.DataFrame, column: str | None, problems: list[Problem]
) -> npt.NDArray[np.float32] | None:
    """Return a label, weight or amount column, which must be there and complete."""
    if column is None:
        return None
    if column not in frame.columns:
        problems.append(Problem(column, 0, "there is no such column; correct data.label, weight or amount"))
        return None
    values = _numbers(frame, column, problems)
    missing = int(np.isnan(values).sum())
    if missing and not any(problem.column == column for problem in problems):
        problems.append(Problem(column, missing, f"{missing} values are missing; fill them or drop the rows"))
    return values


def _days(frame: pd.DataFrame, column: str, problems: list[Problem]) -> npt.NDArray[np.int64]:
    """Return a number for the day of each row, from dates, dates written as text, or numbers of days."""
    if column not in frame.columns:
        problems.append(Problem(column, 0, "there is no such column; correct data.day"))
        return np.zeros(len(frame), np.int64)
    values = frame[column]
    if pd.api.types.is_numeric_dtype(values.dtype):
        days = np.floor(pd.to_numeric(values).to_numpy(dtype=np.float64, na_value=np.nan))
    else:
        times = pd.to_datetime(values, errors="coerce", format="ISO8601", utc=True)
        dates = times.dt.tz_localize(None).to_numpy("datetime64[D]")
        days = np.where(np.isnat(dates), np.nan, dates.astype(np.int64))
    wrong = ~(np.abs(days) < 2**53)
    if wrong.any():
        count = int(wrong.sum())
        problems.append(Problem(column, count, f"{count} values are no day; write dates as 2024-12-31"))
    return np.where(wrong, 0, days).astype(np.int64)


def _numbers(frame: pd.DataFrame, column: str, problems: list[Problem]) -> npt.NDArray[np.float32]:
    """Return a column as float32; a value that is no number is counted and read as missing."""
    values: Any = frame[column]
    if pd.api.types.is_datetime64_any_dtype(values.dtype) or isinstance(values.dtype, pd.CategoricalDtype):
        problems.append(
            Problem(column, len(values), f"its type {values.dtype} is no number; convert or exclude it")
        )
        return np.full(len(values), np.nan, dtype=np.float32)
    numbers = pd.to_numeric(values, errors="coerce")
    text = int((numbers.isna() & values.notna()).sum())
    if text:
        problems.append(
            Problem(column, text, f"{text} values are text; correct or exclude them, or see data.missing")
        )
    with np.errstate(over="ignore"):
        column_values: npt.NDArray[np.float32] = numbers.to_numpy(dtype=np.float64, na_value=np.nan).astype(
            np.float32
        )
    infinite = int(np.isinf(column_values).sum())
    if infinite:
        problems.append(
            Problem(column, infinite, f"{infinite} values are infinite or beyond float32; correct them")
        )
    return column_values
