"""The records of a request as arrays; what cannot be read is told by position and field, never by value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parties.serving.errors import BadRecord
from parties.serving.schemas import Record

LARGEST = float(np.finfo(np.float32).max)


class ParsedRecords(NamedTuple):
    """Records, read.

    keys: by key field, the text of each record.
    given: bool [n], whether the record brings its own features.
    features: float32 [records that do, columns], in their order.
    """

    keys: dict[str, list[str]]
    given: npt.NDArray[np.bool_]
    features: npt.NDArray[np.float32]


def read(records: Sequence[Record], fields: Sequence[str], columns: Sequence[str]) -> ParsedRecords:
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
            _tell_keys(number, record.keys, expected)
    keys = {field: [record.keys[field] for record in records] for field in fields}
    given = np.array([record.features is not None for record in records], dtype=np.bool_)
    return ParsedRecords(keys, given, _features(records, np.flatnonzero(given).tolist(), columns))


def _features(records: Sequence[Record], given: list[int], columns: Sequence[str]) -> npt.NDArray[np.float32]:
    values = np.empty((len(given), len(columns)), dtype=np.float64)
    known = set(columns)
    for line, number in enumerate(given):
        features = records[number].features or {}
        if features.keys() != known:
            _tell_features(number, features, known)
        try:
            values[line] = [_number(features[column]) for column in columns]
        except (TypeError, OverflowError):
            _tell_numbers(number, features)
    if (np.abs(values) > LARGEST).any():
        line = int(np.flatnonzero((np.abs(values) > LARGEST).any(axis=1))[0])
        _tell_numbers(given[line], records[given[line]].features or {})
    return values.astype(np.float32)


def _number(value: float | None) -> float:
    """Return NaN for a missing value; raises TypeError where a value is no number, NaN itself included."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise TypeError
    return float(value)


def _tell_keys(number: int, keys: Mapping[str, str], expected: set[str]) -> None:
    for field in sorted(expected - keys.keys()):
        raise BadRecord(number, f"keys.{field}", "missing; give every field of the key")
    for field in sorted(keys.keys() - expected):
        raise BadRecord(number, f"keys.{field}", f"no such field; the key has {', '.join(sorted(expected))}")


def _tell_features(number: int, features: Mapping[str, float | None], known: set[str]) -> None:
    for name in sorted(known - features.keys()):
        mistake = "missing; give every column of the model, null where its value is missing, or no features"
        raise BadRecord(number, f"features.{name}", mistake)
    for name in sorted(features.keys() - known):
        raise BadRecord(number, f"features.{name}", "the model has no such column; leave it out")


def _tell_numbers(number: int, features: Mapping[str, float | None]) -> None:
    for name, value in features.items():
        try:
            fits = math.isnan(_number(value)) or abs(_number(value)) <= LARGEST
        except (TypeError, OverflowError):
            fits = False
        if not fits:
            mistake = "not a number that float32 can hold; give one, or null where the value is missing"
            raise BadRecord(number, f"features.{name}", mistake)
