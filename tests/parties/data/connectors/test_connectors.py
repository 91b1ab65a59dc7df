"""The three kinds of source give the same rows, and what cannot be read is told without values."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from parties import config as configuration
from parties.data import connectors
from parties.data.connectors import csv
from parties.data.connectors.table import tabulate
from vfl.errors import ConfigError, DataError


def config(tmp_path: Path, source: str, **data: Any) -> configuration.Config:
    section = {"source": source, "keys": {"id": "id"}, "recipe": ["id: strip"], **data}
    document = {"party": {"name": "bureau", "role": "feature"}, "data": section}
    return configuration.parse(document, tmp_path)


FRAME = pd.DataFrame({"id": ["007", "8", ""], "age": [31, 40, 55], "debt": [1.5, None, 2.5]})


def sources(tmp_path: Path) -> list[configuration.Config]:
    """The same rows as CSV, compressed CSV, Parquet, a table and a query."""
    FRAME.to_csv(tmp_path / "rows.csv", index=False)
    FRAME.to_csv(tmp_path / "rows.csv.gz", index=False)
    FRAME.to_parquet(tmp_path / "rows.parquet", index=False)
    with sqlite3.connect(tmp_path / "rows.db") as connection:
        FRAME.to_sql("customers", connection, index=False)
    url = f"sqlite:///{tmp_path / 'rows.db'}"
    return [
        config(tmp_path, "rows.csv"),
        config(tmp_path, "rows.csv.gz"),
        config(tmp_path, "rows.parquet"),
        config(tmp_path, url, table="customers"),
        config(tmp_path, url, query="SELECT * FROM customers"),
    ]


@pytest.mark.parametrize("kind", range(5), ids=["csv", "csv.gz", "parquet", "table", "query"])
def test_every_source_gives_the_same_rows(tmp_path: Path, kind: int) -> None:
    """Keys stay text with their zeros, missing numbers are NaN, whatever the source."""
    source = sources(tmp_path)[kind]
    table = tabulate(connectors.read(source), source.data)
    assert table.keys == {"id": ["007", "8", ""]}
    assert table.names == ["age", "debt"]
    assert table.columns.tolist() == [
        [31.0, 1.5],
        [40.0, pytest.approx(float("nan"), nan_ok=True)],
        [55.0, 2.5],
    ]


def test_only_an_empty_field_is_missing_unless_said(tmp_path: Path) -> None:
    """Text such as n/a stays for the owner to decide on; named in data.missing it is missing."""
    (tmp_path / "rows.csv").write_text("id,age\nNA,1\nb,n/a\nc,\n")
    source = config(tmp_path, "rows.csv")
    with pytest.raises(DataError, match="age: 1 values are text"):
        tabulate(connectors.read(source), source.data)
    frame = csv.read(tmp_path / "rows.csv", keys=["id"], missing=["n/a"])
    assert frame["id"].tolist() == ["NA", "b", "c"]
    assert int(frame["age"].isna().sum()) == 2


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("gone.csv", None, "does not exist"),
        ("gone.parquet", None, "does not exist"),
        ("empty.csv", b"", "not a UTF-8 CSV file"),
        ("latin.csv", b"id,age\n\xe9\xff,3\n", "not a UTF-8 CSV file"),
        ("ragged.csv", b"id,age\na,1\nb,2,secret\n", "not a UTF-8 CSV file"),
        ("text.parquet", b"id,age\n", "not a Parquet file"),
    ],
)
def test_unreadable_files_are_told_without_content(
    tmp_path: Path, name: str, content: bytes | None, told: str
) -> None:
    """A file that is not what its name says is told by name; nothing of it is quoted."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=told) as caught:
        connectors.read(config(tmp_path, name))
    assert "secret" not in str(caught.value)


def test_databases_are_told_without_password(tmp_path: Path) -> None:
    """Neither an unreachable database nor an unknown table repeats the URL; a record hides the password."""
    url = f"sqlite:///{tmp_path}/none/rows-geheim.db"
    with pytest.raises(DataError, match="OperationalError") as caught:
        connectors.read(config(tmp_path, url, table="customers"))
    assert "geheim" not in str(caught.value)
    described = connectors.describe(config(tmp_path, "postgresql://me:geheim@host/db", table="t"))
    assert described == "postgresql://me:***@host/db"
    with pytest.raises(DataError, match="NoSuchTableError"):
        connectors.read(config(tmp_path, f"sqlite:///{tmp_path}/new.db", table="none"))


def test_an_unknown_kind_of_source_is_told(tmp_path: Path) -> None:
    """A file name that says nothing of its kind is a mistake of the configuration."""
    with pytest.raises(ConfigError, match=r"rows\.xlsx is neither"):
        connectors.read(config(tmp_path, "rows.xlsx"))
