"""Joining generated tables as the parties would, for the tests of every story."""

from __future__ import annotations

from functools import cache

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from xgboost import XGBClassifier

from data_generators.__main__ import STORIES
from vfl.psi.identifiers import Recipe, prepare

RECIPES = {"fraud": "strip spaces upper", "cards": "digits", "mules": "strip spaces upper"}


class Told:
    """The tables of one story with test rows, and what is in common."""

    def __init__(self, story: str, rows: int = 30_000, test_rows: int = 30_000) -> None:
        self.generator = STORIES[story]
        self.schema = self.generator.schema
        self.bank, self.partners = self.schema.label_party, list(self.generator.known)
        self.recipe = Recipe.parse([f"key: {RECIPES[story]}"])
        self.joined: dict[str, pd.DataFrame] = {}
        self.rows, self.tables = rows, self.generator.generate(rows, 11, test_rows)

    def keys(self, name: str) -> pd.Series:
        """Return the canonical keys of a table."""
        column = self.schema.keys[name.removesuffix("_test")].column
        prepared = prepare({"key": self.tables[name][column].tolist()}, self.recipe)
        return pd.Series(prepared.keys)

    def pooled(self, part: str) -> pd.DataFrame:
        """Return one of the bank's tables with the partners' columns joined on the left."""
        if part in self.joined:
            return self.joined[part]
        joined = self.tables[part].assign(key=self.keys(part))
        for partner in self.partners:
            columns = self.tables[partner].assign(key=self.keys(partner))
            joined = joined.merge(columns, on="key", how="left")
        self.joined[part] = joined
        return joined

    def auc(self, *institutions: str) -> float:
        """Return the ROC-AUC on test rows of xgboost on these institutions' columns in one table."""
        train, test, label = self.pooled(self.bank), self.pooled(f"{self.bank}_test"), self.schema.label
        columns = self.schema.features(*institutions)
        model = XGBClassifier(n_estimators=40, max_depth=4, learning_rate=0.15, max_bin=64, n_jobs=1)
        model.fit(train[columns], train[label])
        return float(roc_auc_score(test[label], model.predict_proba(test[columns])[:, 1]))


@pytest.fixture(scope="session")
def tell():
    """Return the tables of a story, made once."""
    return cache(Told)
