"""Where a party's rows come from: CSV, Parquet, SQL."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from parties.config import Config
from parties.connectors import csv, parquet, sql
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
