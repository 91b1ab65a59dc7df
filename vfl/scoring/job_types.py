"""The jobs of scoring: questions about customers, and handing over a part."""

from __future__ import annotations

from vfl.algorithms.descriptor import Grant, JobType
from vfl.scoring import messages as m
from vfl.scoring.feature_party import PartWorker, ScoringWorker
from vfl.wire.session import Handler


def _scoring_worker(grant: Grant) -> Handler:
    return ScoringWorker(grant.store, grant.reasons).handle


def _part_worker(grant: Grant) -> Handler:
    return PartWorker(grant.store).handle


SCORING_JOB = JobType(
    opening=m.OpenScoring, action="score", activity="scoring customers with a model", worker=_scoring_worker
)

EXPORT_JOB = JobType(
    opening=m.AskPart,
    action="export",
    activity="handing over the feature party's part of a model",
    worker=_part_worker,
)
