"""The body of a scoring request: its form, which also documents it, and its reader."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Annotated, Any, NoReturn

import msgspec
from msgspec import Meta, Struct

from parties.serving.schemas import Feature, KeyValue, ScoreRecord
from parties.web.problems import ApiError


class Reader:
    """Reads bodies of at most so many records.

    Args:
        max_records: of one request.
    """

    def __init__(self, max_records: int) -> None:
        records = Annotated[list[ScoreRecord], Meta(min_length=1, max_length=max_records)]
        self.form: type[Struct] = msgspec.defstruct(
            "ScoreRequest",
            [("records", records)],
            forbid_unknown_fields=True,
            namespace={"__doc__": "Customers to score, in one request to every feature party."},
        )
        self._decoder = msgspec.json.Decoder(self.form)

    def read(self, body: bytes, names: Collection[str]) -> list[ScoreRecord]:
        """Return the records of a body.

        Args:
            names: key fields and columns that an error may name; other names may be values in a wrong place.

        Raises:
            ApiError: bad_json or bad_request, with the place and never a value.
        """
        try:
            records: list[ScoreRecord] = self._decoder.decode(body).records  # type: ignore[attr-defined]
        except msgspec.ValidationError as error:
            _refuse(error, body, names)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ApiError("bad_json", _why_not_json(body)) from None
        # A name that is written twice is read once. Every name is followed by a colon, so where there are as
        # many colons as names were read none was lost; where there are more, texts may have colons in them.
        if body.count(b":") != _names_read(records):
            _refuse_repeated_names(body)
        return records


def _names_read(records: Iterable[ScoreRecord]) -> int:
    return 1 + sum(
        len(record.keys) + 1 + (0 if record.features is None else len(record.features) + 1)
        for record in records
    )


def _refuse_repeated_names(body: bytes) -> None:
    def check(pairs: list[tuple[str, Any]]) -> None:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ApiError("bad_json", "an object has the same name twice; write every name once")

    json.loads(body, object_pairs_hook=check)


def _why_not_json(body: bytes) -> str:
    """Return what is wrong with a body that no JSON reader accepts; position and kind alone."""

    def constant(_: str) -> NoReturn:
        raise ApiError("bad_json", "NaN and Infinity are no JSON; write null for a missing value")

    try:
        json.loads(body, parse_constant=constant)
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    except UnicodeDecodeError:
        return "the body is not UTF-8"
    except RecursionError:
        return "the body is nested too deeply"
    except ValueError:
        return "a number has too many digits"
    return "a text has a character that JSON does not allow"


def _refuse(error: msgspec.ValidationError, body: bytes, names: Collection[str]) -> NoReturn:
    reason, _, place = str(error).partition(" - at ")
    if reason.startswith("Object contains unknown field"):
        reason = "Object contains an unknown field"  # what is sent as a name may be a value
    reason = reason.replace("`", "").lower()
    record, field = _place(place.rpartition("`$")[2].rstrip("`"), body, names)
    where = ", ".join(filter(None, [None if record is None else f"record {record}", field]))
    raise ApiError("bad_request", f"{where}: {reason}".lstrip(": "), record=record, field=field) from None


def _place(path: str, body: bytes, names: Collection[str]) -> tuple[int | None, str | None]:
    """Return record and field of a path such as ``.records[3].features[...]``."""
    if not path.startswith(".records["):
        return None, path.lstrip(".") or None
    head, _, field = path.removeprefix(".records[").partition("]")
    part, inner, _ = field.lstrip(".").partition("[...]")
    wrong = _first_wrong(body, int(head), part) if inner else None
    return int(head), f"{part}.{wrong}" if wrong in names else part or None


class _Loose(Struct):
    """A body whose records are not looked at."""

    records: list[msgspec.Raw]


def _first_wrong(body: bytes, record: int, part: str) -> str | None:
    """Return the name in ``keys`` or ``features`` whose value is wrong; None where it cannot be told."""
    kind: Any = Feature if part == "features" else KeyValue
    try:
        raw = msgspec.json.decode(body, type=_Loose).records[record]
        parts = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        values = msgspec.json.decode(parts[part], type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    for name, value in values.items():
        try:
            msgspec.json.decode(value, type=kind)
        except msgspec.ValidationError:
            return name
    return None
