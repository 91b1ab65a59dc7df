"""Reading the body of a scoring request: what is good is read as it stands, what is not is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parties.serving.schemas import FLOAT32_MAX, ScoreRecord
from parties.web.bodies import Reader
from parties.web.problems import ApiError

READER = Reader(5)
NAMES = st.text(max_size=10).filter(lambda text: not any("\ud800" <= char <= "\udfff" for char in text))
NUMBERS = st.none() | st.floats(-FLOAT32_MAX, FLOAT32_MAX) | st.integers(-(2**53), 2**53)
RECORDS = st.fixed_dictionaries(
    {"keys": st.dictionaries(NAMES, NAMES, min_size=1, max_size=4)},
    optional={"features": st.none() | st.dictionaries(NAMES, NUMBERS, max_size=6)},
)


@given(st.lists(RECORDS, min_size=1, max_size=5), st.booleans())
def test_good_bodies_are_read_as_they_stand(records: list[dict[str, Any]], ascii_only: bool) -> None:
    """Any texts, colons and quotes in them included, and any numbers of float32 come out as they went in."""
    body = json.dumps({"records": records}, ensure_ascii=ascii_only).encode()
    assert READER.read(body, ()) == [ScoreRecord(one["keys"], one.get("features")) for one in records]


@given(st.lists(RECORDS, min_size=1, max_size=3), st.data())
def test_a_name_that_is_written_twice_is_refused(records: list[dict[str, Any]], data: st.DataObject) -> None:
    """Of two values for one name neither is taken, wherever they are."""
    body = json.dumps({"records": records})
    chosen = data.draw(st.sampled_from(records))["keys"]
    once = json.dumps(chosen)
    name = json.dumps(data.draw(st.sampled_from(sorted(chosen))))
    twice = once[:-1] + f', {name}: "x:y"' + "}"
    with pytest.raises(ApiError) as caught:
        READER.read(body.replace(f'"keys": {once}', f'"keys": {twice}', 1).encode(), ())
    assert caught.value.code == "bad_json"


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode(errors="replace")))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """No bytes end in another error than the one that is meant to be told."""
    codes = set()
    for sent in (body, b'{"records": [{"keys": {"a": "b"}, "features": {"c": ' + body + b"}}]}"):
        try:
            READER.read(sent, ())
        except ApiError as error:
            codes.add(error.code)
    assert codes <= {"bad_json", "bad_request"}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 3.5e38, -1e300])
def test_what_float32_does_not_hold_is_refused(bad: float) -> None:
    """Neither NaN nor an infinity comes in, nor a number that float32 would turn into one."""
    with pytest.raises(ApiError):
        READER.read(json.dumps({"records": [{"keys": {"a": "b"}, "features": {"c": bad}}]}).encode(), ())
    largest = {"keys": {"a": "b"}, "features": {"c": FLOAT32_MAX}}
    (record,) = READER.read(json.dumps({"records": [largest]}).encode(), ())
    assert record.features
    assert np.isfinite(np.float32(record.features["c"]))


def test_a_field_is_named_only_if_it_is_known() -> None:
    """A name that is no column may be a value in the wrong place."""
    body = b'{"records": [{"keys": {"a": "b"}}, {"keys": {"a": "b"}, "features": {"age": 1, "wage": "x"}}]}'
    for names, field in (({"wage"}, "features.wage"), (set[str](), "features")):
        with pytest.raises(ApiError) as caught:
            READER.read(body, names)
        assert (caught.value.problem.record, caught.value.problem.field) == (1, field)
