"""Any database that SQLAlchemy has a driver for."""

from __future__ import annotations

import pandas as pd
import sqlalchemy
from sqlalchemy.exc import SQLAlchemyError

from vfl.errors import DataError


def read(url: str, *, table: str | None, query: str | None) -> pd.DataFrame:
    """Return a table, or the rows of a query.

    Raises:
        DataError: the database cannot be reached or read. The URL may hold a password, and a driver's
            message a value, so the error names only its kind.
    """
    try:
        engine = sqlalchemy.create_engine(url)
        with engine.connect() as connection:
            rows = connection.execute(_select(engine, table, query))
            return pd.DataFrame.from_records(list(rows), columns=list(rows.keys()), coerce_float=True)
    except (SQLAlchemyError, ImportError) as error:
        raise DataError(
            f"the database of data.source cannot be read ({type(error).__name__}); "
            "try the same URL and query with its own client"
        ) from None


def _select(engine: sqlalchemy.Engine, table: str | None, query: str | None) -> sqlalchemy.Executable:
    if query is not None:
        return sqlalchemy.text(query)
    schema, _, name = (table or "").rpartition(".")
    return sqlalchemy.select(
        sqlalchemy.Table(name, sqlalchemy.MetaData(), schema=schema or None, autoload_with=engine)
    )
