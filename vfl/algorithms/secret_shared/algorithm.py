"""Logistic regression on secret shares as an algorithm."""

from __future__ import annotations

from vfl.algorithms.descriptor import (
    MAX_ROUNDS,
    Algorithm,
    Grant,
    JobType,
    Term,
    Trained,
    Training,
    TrainingInputs,
)
from vfl.algorithms.secret_shared import messages as m
from vfl.algorithms.secret_shared.feature_party import Opening
from vfl.algorithms.secret_shared.label_party import train
from vfl.linear_model.model_type import LINEAR, METRIC, LinearFacts
from vfl.linear_model.params import LinearParams
from vfl.wire.session import Handler
from vfl.wire.worker import Worker


def _worker(grant: Grant) -> Handler:
    return Worker(Opening(grant.store, show_columns=grant.show_columns, profile=grant.profile)).handle


def _run(inputs: TrainingInputs, params: LinearParams) -> Trained:
    """Train on all rows but those kept out for validation, which have no weight in any sum."""
    result = train(
        inputs.sessions,
        inputs.alignments,
        inputs.table.without(inputs.watch),
        params,
        inputs.private_key,
        model_id=inputs.model_id,
        binning=inputs.binning,
        profile=inputs.profile,
        on_progress=inputs.on_progress,
    )
    return Trained(result.part, METRIC, result.history, LinearFacts.from_result(result))


ALGORITHM = Algorithm(
    name="secret_shared",
    conversation=m.CONVERSATION,
    job=JobType(
        opening=m.OpenShared,
        action="train",
        activity="training a linear model on secret shares of columns of both parties",
        worker=_worker,
        makes="model",
        algorithm="secret_shared",
        rows=lambda opening: opening.rows,
        terms=(Term("rounds", MAX_ROUNDS, of_opening=lambda opening: opening.steps),),
    ),
    training=Training(
        model_type=LINEAR,
        params=LinearParams,
        accepts=lambda params: params.protocol == "shared",
        terms=lambda params: {"rounds": params.max_iter},
        run=_run,
        takes_binning=True,
        default_params=lambda on_evidence: LinearParams(standardise=not on_evidence, protocol="shared"),
    ),
)
