"""Populations for linear models, the table that nobody has, and the coefficients of all parties together."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from vfl.aggregation.table import LabelTable
from vfl.algorithms.linear.label_party import train


def population(rows=300, widths=(3, 4), seed=0, known=1.0, missing=0.0):
    """Columns of the label party and of each feature party, correlated across parties, by customer."""
    rng = np.random.default_rng(seed)
    customers = [f"C{i:05d}" for i in range(rows)]
    common = rng.normal(size=(rows, 3))
    frames = []
    for width in widths:
        values = common @ rng.normal(size=(3, width)) * 0.7 + rng.normal(size=(rows, width))
        values[:, -1] = np.round(values[:, -1])
        values = values * rng.uniform(0.5, 20, width) + rng.normal(size=width)
        values[rng.random(values.shape) < missing] = np.nan
        names = [f"x{i}" for i in range(width)]
        frames.append(pd.DataFrame(values.astype(np.float32), index=customers, columns=names))
    label, *others = frames
    parties = {}
    for name, frame in zip(["telco", "payments", "bureau"], others, strict=False):
        strangers = pd.DataFrame(frame.to_numpy()[:20] + 1, columns=frame.columns)
        strangers.index = [f"X{name}{i:04d}" for i in range(20)]
        kept = frame[rng.random(rows) < known] if known < 1 else frame
        parties[name] = pd.concat([kept, strangers]).sample(frac=1, random_state=1)
    score = np.nansum([StandardScaler().fit_transform(f.to_numpy(np.float64))[:, 0] for f in frames], axis=0)
    return SimpleNamespace(label=label, parties=parties, score=score, rng=rng)


def fit(group, y, params, private_key, weights=None, model_id="m"):
    """Train over real bytes; returns the result and all coefficients in the order of the pooled columns."""
    label = group.label
    table = LabelTable(
        list(label.index), list(label.columns), label.to_numpy(np.float32), y.astype(np.float32), weights
    )
    result = train(group.sessions(), group.alignments, table, params, private_key, model_id=model_id)
    parts = [party.parts[model_id].terms for party in group.parties.values()]
    coefficients = np.concatenate([terms.coefficients for terms in (result.part.terms, *parts)])
    return result, coefficients


def pooled(group, standardise=True):
    """The pooled table as one party would prepare it: scaled on known values, the mean where none is."""
    scaled = []
    for frame in [group.label, *(party.frame for party in group.parties.values())]:
        values = frame.reindex(group.label.index).to_numpy(np.float64)
        if standardise:
            values = np.nan_to_num(StandardScaler().fit_transform(values))
        scaled.append(np.where(np.isnan(values), np.nanmean(values, axis=0), values))
    return np.hstack(scaled)
