"""Label means as an algorithm: what contracts, parties and records know of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from tests.plugin.label_means import messages as m
from tests.plugin.label_means.bins import bin_numbers, one_hot
from tests.plugin.label_means.feature_party import Job, Opening
from tests.plugin.label_means.label_party import train
from tests.plugin.label_means.params import LabelMeansParams
from tests.plugin.label_means.parts import LabelMeansFeaturePart, LabelMeansLabelPart
from tests.plugin.label_means.predictor import LabelMeansPredictor
from vfl.aggregation.bitmap import from_bitmap, to_bitmap
from vfl.algorithms.descriptor import (
    Algorithm,
    Grant,
    JobType,
    Limit,
    Term,
    Trained,
    Training,
    TrainingInputs,
)
from vfl.arrays import Bool, Float32, Positions
from vfl.model.model_type import ModelType
from vfl.wire.session import Handler, LabelSession
from vfl.wire.worker import Worker


class LabelMeansFacts(Struct, frozen=True, kw_only=True):
    """What the label party records: the base rate, and how many bins there are in all."""

    base_rate: float
    bins: int


def _ask(session: LabelSession, rows: Positions, outputs: int, reasons: Sequence[str]) -> Bool:
    bits = session.ask(m.AskBins(rows.tobytes()), m.CustomerBins).bins
    return from_bitmap(bits, outputs, len(rows))


def _answer(part: LabelMeansFeaturePart, columns: Float32, reasons: Sequence[str]) -> m.CustomerBins:
    n_bins = np.array([len(ends) + 1 for ends in part.cuts], dtype=np.int64)
    return m.CustomerBins(to_bitmap(one_hot(bin_numbers(columns, part.cuts), n_bins)))


def _merge(part: LabelMeansLabelPart, parts: Mapping[str, LabelMeansFeaturePart], label_party: str) -> bytes:
    tables = [(label_party, part.columns, part.cuts, part.means)]
    tables += [
        (name, parts[name].columns, parts[name].cuts, peer.means)
        for name, peer in zip(part.owners, part.peers, strict=True)
    ]
    columns = [
        {"party": party, "column": column, "cuts": cuts, "means": means}
        for party, *table in tables
        for column, cuts, means in zip(*table, strict=True)
    ]
    return json.dumps({"base_rate": part.base_rate, "columns": columns}).encode()


LABEL_MEANS = ModelType(
    name="label_means",
    label_part=LabelMeansLabelPart,
    feature_part=LabelMeansFeaturePart,
    facts=LabelMeansFacts,
    conversation=m.SCORING_CONVERSATION,
    question=m.AskBins,
    predictor=LabelMeansPredictor,
    ask=_ask,
    answer=_answer,
    merge=_merge,
    headline=lambda facts, history: f"means of {facts.bins:,} bins",
    details=lambda facts, history: [f"base rate {facts.base_rate:.3f}"],
)


def _worker(grant: Grant) -> Handler:
    job = Job(grant.store, grant.show_columns, grant.limits.get("min_label_rows") or 1)
    return Worker(Opening(job)).handle


def _run(inputs: TrainingInputs, params: LabelMeansParams) -> Trained:
    part = train(inputs, params)
    bins = sum(map(len, part.means)) + sum(peer.outputs for peer in part.peers)
    return Trained(part, "none", [], LabelMeansFacts(base_rate=part.base_rate, bins=bins))


ALGORITHM = Algorithm(
    name="label_means",
    conversation=m.CONVERSATION,
    job=JobType(
        opening=m.OpenLabelMeans,
        action="train",
        activity="taking means of labels by the bins of both parties' columns",
        worker=_worker,
        makes="model",
        algorithm="label_means",
        rows=lambda opening: int.from_bytes(opening.fit_rows, "little").bit_count(),
        trained_rows=lambda opening: int.from_bytes(opening.fit_rows, "little").bit_count(),
        terms=(
            Term(
                "label_bins",
                Limit("max_label_bins", 20, "most bins of a column whose labels are added up"),
                of_opening=lambda opening: opening.bins,
                noun="bins of a column",
            ),
        ),
        limits=(Limit("min_label_rows", 10, "fewest rows of a bin whose labels are added up"),),
    ),
    training=Training(
        model_type=LABEL_MEANS,
        params=LabelMeansParams,
        terms=lambda params: {"label_bins": params.bins},
        run=_run,
        default_params=lambda on_evidence: LabelMeansParams(),
    ),
)
"""To be registered with `vfl.jobs.register`."""
