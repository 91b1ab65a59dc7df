"""Rows to keys and numbers: what is taken as it is, and that all problems come together."""

from __future__ import annotations

import decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from parties.config.settings import Data
from parties.data.connectors.table import examine, tabulate
from vfl.errors import DataError


def data(**more: Any) -> Data:
    return Data(source="x.csv", keys={"id": "id"}, recipe=["id: strip"], **more)


def test_numbers_of_every_kind_are_taken() -> None:
    """Booleans, integers with gaps, decimals and floats become float32, missing ones NaN."""
    frame = pd.DataFrame(
        {
            "id": ["a", "b"],
            "flag": [True, False],
            "nullable": pd.array([3, None], dtype="Int64"),
            "decimal": [decimal.Decimal("1.5"), None],
            "float": [0.25, np.nan],
        }
    )
    table = tabulate(frame, data())
    assert table.columns.dtype == np.float32
    np.testing.assert_array_equal(table.columns, [[1, 3, 1.5, 0.25], [0, np.nan, np.nan, np.nan]])


def test_whole_number_keys_are_read_as_meant() -> None:
    """Keys that arrive as numbers, with a gap as floats, are the whole numbers they stand for."""
    assert tabulate(pd.DataFrame({"id": [7.0, np.nan], "x": [1, 2]}), data()).keys == {"id": ["7", ""]}
    with pytest.raises(DataError, match="1 keys are fractions"):
        tabulate(pd.DataFrame({"id": [7.5, 8.0], "x": [1, 2]}), data())


def test_all_problems_come_together_without_values() -> None:
    """Text, infinity, dates, an empty column, repeated and absent ones are one error of names and counts."""
    frame = pd.DataFrame(
        [["a", "low-secret", np.inf, None, 1, 1, "2020-01-01"], ["b", "2", 1.0, None, 2, 2, "2021-01-01"]],
        columns=["id", "text", "infinite", "empty", "twice", "twice", "date"],
    )
    frame["infinite"] = frame["infinite"].astype(float)
    frame["date"] = pd.to_datetime(frame["date"])
    with pytest.raises(DataError) as caught:
        tabulate(frame, data(exclude=["absent"], groups={"a group": ["text", "nowhere"]}))
    told = str(caught.value)
    for line in (
        "text: 1 values are text",
        "infinite: 1 values are infinite",
        "empty: no value is usable",
        "twice: 2 columns have this name",
        "date: its type",
        "absent: excluded, but there is no such column",
        "nowhere: grouped, but it is no feature column",
    ):
        assert f"\n  {line}" in told
    assert "secret" not in told


def test_absent_key_and_label_columns_are_problems() -> None:
    """A key, label or included column that is not there is told by name; so are rows without label."""
    frame = pd.DataFrame({"x": [1, 2], "y": [1.0, None]})
    _, problems = examine(frame, data(label="y", weight="w", include=["x", "z"]))
    assert {problem.column for problem in problems} == {"id", "w", "z", "y"}
    assert next(problem.count for problem in problems if problem.column == "y") == 1


def test_labels_are_no_feature_and_need_not_be_there_to_score() -> None:
    """Label, weight and excluded columns never become features; scoring goes without a label."""
    frame = pd.DataFrame({"id": ["a"], "x": [None], "y": [1], "w": [2.0], "no": [3]})
    settings = data(label="y", weight="w", exclude=["no"])
    table, problems = examine(frame, settings)
    assert (table.names, [problem.column for problem in problems]) == (["x"], ["x"])
    scored = tabulate(frame.drop(columns=["y", "w"]), settings, training=False)
    assert scored.labels is None
    assert np.isnan(scored.columns).all()


def test_included_columns_come_in_the_named_order() -> None:
    """``include`` fixes both which columns take part and their order."""
    frame = pd.DataFrame({"id": ["a"], "x": [1], "y": [2], "z": [3]})
    assert tabulate(frame, data(include=["z", "x"])).columns.tolist() == [[3.0, 1.0]]


def test_amounts_are_features_too_and_days_are_not() -> None:
    """What a row costs may tell; the day it came up on would only be learnt by heart."""
    frame = pd.DataFrame({"id": ["a", "b"], "y": [0, 1], "cost": [1.5, 2.0], "day": [3, 3], "x": [1, 2]})
    table = tabulate(frame, data(label="y", amount="cost", day="day"))
    assert table.names == ["cost", "x"]
    assert (table.amounts.tolist(), table.days.tolist()) == ([1.5, 2.0], [3, 3])
    assert tabulate(frame, data(label="y", day="day", include=["day"])).names == ["day"]
    scored = tabulate(frame[["id", "x"]], data(label="y", amount="cost", day="day"), training=False)
    assert (scored.amounts, scored.days) == (None, None)


@pytest.mark.parametrize(
    "days",
    [
        ["2024-02-28", "2024-02-29", "2024-02-29T23:59:59"],
        pd.to_datetime(["2024-02-28 10:00", "2024-02-29 00:00", "2024-02-29 23:59"]),
        ["2024-02-28T10:00Z", "2024-02-29T01:00+01:00", "2024-02-29 23:59"],
        pd.to_datetime(["2024-02-28", "2024-02-29", "2024-02-29"]).date,
        [19781, 19782, 19782.75],
    ],
)
def test_days_are_dates_times_or_numbers(days: Any) -> None:
    """Whatever a day is written as, rows of one day have one number."""
    frame = pd.DataFrame({"id": ["a", "b", "c"], "x": [1, 2, 3], "when": days})
    assert tabulate(frame, data(day="when")).days.tolist() == [19781, 19782, 19782]


def test_days_that_are_none_are_counted() -> None:
    """A text that is no date, and a row without one."""
    frame = pd.DataFrame({"id": ["a", "b", "c"], "x": [1, 2, 3], "when": ["2024-02-28", "soon", None]})
    with pytest.raises(DataError, match="when: 2 values are no day"):
        tabulate(frame, data(day="when"))
    with pytest.raises(DataError, match=r"day: there is no such column; correct data\.day"):
        tabulate(frame, data(day="day"))
