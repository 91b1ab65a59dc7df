"""Where a party's rows come from: CSV, Parquet, SQL."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import sqlalchemy

from parties.config import Config
from parties.data.connectors import csv, parquet, sql
from vfl.errors import ConfigError


def read(config: Config) -> pd.DataFrame:
    """Return the source of ``[data]`` as it is; column names may repeat, keys are text.

    Raises:
        ConfigError: the source is of no known kind.
        DataError: it cannot be read.
    """
    data = config.data
    if "://" in data.source:
        return sql.read(data.source, table=data.table, query=data.query)
    path = config.path(data.source)
    if path.suffix == ".parquet":
        return parquet.read(path)
    if path.suffix in (".csv", ".gz"):
        return csv.read(path, keys=list(data.keys.values()), missing=data.missing)
    raise ConfigError(
        f"data.source: {Path(data.source).name} is neither .csv, .csv.gz, .parquet nor a database URL"
    )


def version(config: Config) -> tuple[int, int] | None:
    """Return what differs once the file of ``[data]`` has been written again; None for a database."""
    path = config.path(config.data.source)
    if "://" in config.data.source or not path.exists():
        return None
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def describe(config: Config) -> str:
    """Return the source of ``[data]`` as it may be stored: a whole path, or a URL without its password."""
    if "://" not in config.data.source:
        return str(config.path(config.data.source).resolve())
    try:
        return sqlalchemy.make_url(config.data.source).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        raise ConfigError("data.source: not a SQLAlchemy URL; write dialect://user@host/database") from None
