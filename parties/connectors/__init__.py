"""Where a party's rows come from: CSV, Parquet, SQL."""
