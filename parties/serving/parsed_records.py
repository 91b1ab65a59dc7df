"""The records of a request as arrays; errors name position and field, never a value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parties.serving.errors import BadRecord
from parties.serving.schemas import FLOAT32_MAX, ScoreRecord


class ParsedRecords(NamedTuple):
    """Records as arrays.

    keys: by key field, the text of each record.
    has_features: bool [n], whether the record brings its own features.
    features: float32 [records that do, columns], in their order.
    """

    keys: dict[str, list[str]]
    has_features: npt.NDArray[np.bool_]
    features: npt.NDArray[np.float32]


def parse(records: Sequence[ScoreRecord], fields: Sequence[str], columns: Sequence[str]) -> ParsedRecords:
    """Return records as arrays.

    Args:
        fields: the fields of a key.
        columns: the model's own columns; a record that gives features gives all of them.

    Raises:
        BadRecord: a field is absent or unknown, or a feature is no finite float32 number.
    """
    expected = set(fields)
    for number, record in enumerate(records):
        if record.keys.keys() != expected:
            _refuse_keys(number, record.keys, expected)
    keys = {field: [record.keys[field] for record in records] for field in fields}
    has_features = np.array([record.features is not None for record in records], dtype=np.bool_)
    return ParsedRecords(
        keys, has_features, _features(records, np.flatnonzero(has_features).tolist(), columns)
    )


def _features(
    records: Sequence[ScoreRecord], numbers: list[int], columns: Sequence[str]
) -> npt.NDArray[np.float32]:
    values = np.empty((len(numbers), len(columns)), dtype=np.float64)
    expected = set(columns)
    for line, number in enumerate(numbers):
        features = records[number].features or {}
        if features.keys() != expected:
            _refuse_names(number, features, expected)
        try:
            values[line] = [_number(features[column]) for column in columns]
        except (TypeError, OverflowError):
            _refuse_values(number, features)
    if (np.abs(values) > FLOAT32_MAX).any():
        line = int(np.flatnonzero((np.abs(values) > FLOAT32_MAX).any(axis=1))[0])
        _refuse_values(numbers[line], records[numbers[line]].features or {})
    return values.astype(np.float32)


def _number(value: float | None) -> float:
    """Return NaN for a missing value; raises TypeError where a value is no number, NaN itself included."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise TypeError
    return float(value)


def _refuse_keys(number: int, keys: Mapping[str, str], expected: set[str]) -> None:
    for field in sorted(expected - keys.keys()):
        raise BadRecord(number, f"keys.{field}", "missing; give every field of the key")
    for field in sorted(keys.keys() - expected):
        raise BadRecord(number, f"keys.{field}", f"no such field; the key has {', '.join(sorted(expected))}")


def _refuse_names(number: int, features: Mapping[str, float | None], expected: set[str]) -> None:
    for name in sorted(expected - features.keys()):
        mistake = "missing; give every column of the model, null where its value is missing, or no features"
        raise BadRecord(number, f"features.{name}", mistake)
    for name in sorted(features.keys() - expected):
        raise BadRecord(number, f"features.{name}", "the model has no such column; leave it out")


def _refuse_values(number: int, features: Mapping[str, float | None]) -> None:
    for name, value in features.items():
        try:
            fits = math.isnan(_number(value)) or abs(_number(value)) <= FLOAT32_MAX
        except (TypeError, OverflowError):
            fits = False
        if not fits:
            mistake = "not a number that float32 can hold; give one, or null where the value is missing"
            raise BadRecord(number, f"features.{name}", mistake)
