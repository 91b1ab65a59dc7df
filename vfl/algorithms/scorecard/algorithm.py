"""Binning with weights of evidence as an algorithm: it makes no model, but columns for one."""

from __future__ import annotations

from vfl.algorithms.descriptor import Algorithm, Grant, JobType, Limit
from vfl.algorithms.scorecard import messages as m
from vfl.algorithms.scorecard.feature_party import MIN_ROWS, Opening
from vfl.wire.session import Handler
from vfl.wire.worker import Worker

LIMITS = (Limit("min_bin_rows", MIN_ROWS, "fewest rows of a bin of a binning that are counted"),)


def _worker(grant: Grant) -> Handler:
    least = grant.limits.get("min_bin_rows")
    min_rows = MIN_ROWS if least is None else least
    return Worker(Opening(grant.store, show_columns=grant.show_columns, min_rows=min_rows)).handle


def _fit_rows(opening: m.OpenBinning) -> int:
    return int.from_bytes(opening.fit_rows, "little").bit_count()


ALGORITHM = Algorithm(
    name="scorecard",
    conversation=m.CONVERSATION,
    job=JobType(
        opening=m.OpenBinning,
        action="bin",
        activity="weighing the feature party's columns for a scorecard",
        worker=_worker,
        makes="binning",
        rows=_fit_rows,
        trained_rows=_fit_rows,
        limits=LIMITS,
    ),
)
