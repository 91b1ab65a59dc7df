"""Databases by URL: a table or a query, and errors without the URL, which may hold a password."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from parties.data.connectors import sql
from vfl.errors import DataError, VflError


@pytest.fixture
def url(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "rows.db") as connection:
        pd.DataFrame({"id": ["007", "8"], "age": [31, 40]}).to_sql("customers", connection, index=False)
    return f"sqlite:///{tmp_path / 'rows.db'}"


def test_a_table_and_a_query_are_read(url: str) -> None:
    """All rows, or those of the query."""
    assert sql.read(url, table="customers", query=None)["id"].tolist() == ["007", "8"]
    query = "SELECT id FROM customers WHERE age > 35"
    assert sql.read(url, table=None, query=query)["id"].tolist() == ["8"]


def test_errors_hold_no_password(url: str) -> None:
    """Neither of a missing table nor of a URL that is none."""
    with pytest.raises(DataError):
        sql.read(url, table="nothing", query=None)
    with pytest.raises(VflError) as caught:
        sql.read("nothing://bank:hunter2@host/db", table="customers", query=None)
    assert "hunter2" not in str(caught.value)
