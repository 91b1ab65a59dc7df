"""Boosted trees as an algorithm: what contracts, parties and records know of it."""

from __future__ import annotations

import msgspec

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
from vfl.algorithms.trees import messages as m
from vfl.algorithms.trees.checkpoint import Checkpoint
from vfl.algorithms.trees.disclosure_control import DisclosurePolicy
from vfl.algorithms.trees.feature_party import TrainingWorker
from vfl.algorithms.trees.label_party import train
from vfl.algorithms.trees.model_type import TREES, TreesFacts
from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.stopping import metric_name
from vfl.wire.session import Handler

TERMS = (
    Term(
        "trees",
        Limit("max_trees", 1_000, "most trees of a model"),
        of_opening=lambda o: o.trees,
        noun="trees",
    ),
    Term(
        "max_depth",
        Limit("max_depth", 10, "most levels of a tree"),
        of_opening=lambda o: o.max_depth,
        noun="levels of a tree",
    ),
    Term(
        "node_rows",
        Limit("min_node_rows", 5, "fewest rows of a node whose sums are disclosed"),
        bound="least",
        proposed=5,
        noun="rows in a node",
    ),
    Term(
        "histogram_rows",
        Limit("min_histogram_rows", 2, "fewest rows of a bin of a column in trees"),
        bound="least",
        proposed=2,
        noun="rows in a bin",
    ),
)

LIMITS = (Limit("max_histograms", 10_000, "in how many nodes' sums a row may be in one job"),)


def _worker(grant: Grant) -> Handler:
    policy = DisclosurePolicy(
        node_rows=grant.terms.get("node_rows", 1),
        histogram_rows=grant.terms.get("histogram_rows", 1),
        vector_rows=grant.limits.get("min_rows") or 1,
        histograms=grant.limits.get("max_histograms"),
    )
    return TrainingWorker(grant.store, show_columns=grant.show_columns, policy=policy).handle


def _run(inputs: TrainingInputs, params: TreeParams) -> Trained:
    def keep(checkpoint: Checkpoint) -> None:
        inputs.keep(len(checkpoint.trees), msgspec.msgpack.encode(checkpoint))

    stood = inputs.checkpoint
    result = train(
        inputs.sessions,
        inputs.alignments,
        inputs.table,
        params,
        inputs.private_key,
        model_id=inputs.model_id,
        watch=inputs.watch,
        profile=inputs.profile,
        on_progress=inputs.on_progress,
        resume=None if stood is None else msgspec.msgpack.decode(stood, type=Checkpoint),
        keep=keep,
    )
    facts = TreesFacts(
        trees=len(result.part.trees), importances=result.importances, disclosure=result.disclosure
    )
    return Trained(result.part, metric_name(params), result.history, facts)


def _trained_rows(opening: m.OpenTraining) -> int:
    return int.from_bytes(opening.fit_rows, "little").bit_count()


def _rows(opening: m.OpenTraining) -> int:
    return _trained_rows(opening) + int.from_bytes(opening.watch_rows, "little").bit_count()


ALGORITHM = Algorithm(
    name="trees",
    conversation=m.CONVERSATION,
    job=JobType(
        opening=m.OpenTraining,
        action="train",
        activity="training trees on columns of both parties",
        worker=_worker,
        makes="model",
        algorithm="trees",
        rows=_rows,
        trained_rows=_trained_rows,
        terms=TERMS,
        limits=LIMITS,
        term_of={m.OpenTree: ("trees", lambda message: message.tree + 1)},
    ),
    training=Training(
        model_type=TREES,
        params=TreeParams,
        terms=lambda params: {"trees": params.n_estimators, "max_depth": params.max_depth},
        run=_run,
        validation_seed=lambda params: params.random_state,
    ),
)
