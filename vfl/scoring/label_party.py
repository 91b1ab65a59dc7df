"""The label party's side of scoring: ask every feature party for directions, then walk the trees."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from vfl.errors import DataError, NotAligned
from vfl.loss import LOSSES
from vfl.model import FeatureShare, LabelShare, feature_share
from vfl.psi.alignment import Alignment
from vfl.table import LabelTable
from vfl.trees.bitmap import from_bitmap
from vfl.trees.predict import margins
from vfl.wire import messages as m
from vfl.wire.session import LabelSession

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Progress = Callable[[int, int, str], None]

SCORING_ROWS = 65_536
"""Rows asked for in one scoring message: at 500 splits 4 MB come back."""


def score(
    sessions: Mapping[str, LabelSession],
    alignments: Mapping[str, Alignment],
    share: LabelShare,
    table: LabelTable,
    *,
    model_id: str,
    on_progress: Progress = lambda done, total, what: None,
) -> Float32:
    """Score rows with the feature parties' answers: one message for each `SCORING_ROWS` rows and party.

    Args:
        sessions: a new conversation with each feature party of the model.
        alignments: of the rows to score, by the same names; rows outside count as missing there.
        share: the label party's share.
        table: the rows to score; labels are not needed.
        model_id: name of the model.
        on_progress: called with (rows answered, rows in all over the parties, "").

    Returns:
        float32 [n]: the prediction of XGBoost on the pooled columns.

    Raises:
        DataError: other columns than the model was trained on.
        NotAligned, PeerError: as in `train`.
    """
    if list(table.names) != share.columns:
        raise DataError(f"the model was trained on the columns {', '.join(share.columns)}, in this order")
    total = sum(len(alignments[peer].identifiers) for peer in share.owners)
    done = 0
    lock = threading.Lock()

    def advance(rows: int) -> None:
        nonlocal done
        with lock:
            done += rows
            on_progress(done, total, "")

    with ThreadPoolExecutor(max(1, len(share.owners))) as pool:
        asked = [
            pool.submit(
                _directions, sessions[peer], alignments[peer], model_id, share.splits_of(owner), advance
            )
            for owner, peer in enumerate(share.owners, start=1)
        ]
        directions = [future.result() for future in asked]
    known = [table.rows_of(alignments[peer]) for peer in share.owners]
    return LOSSES[share.params.objective].transform(margins(share, table.columns, directions, known))


def _directions(
    session: LabelSession, alignment: Alignment, model_id: str, needed: int, advance: Callable[[int], None]
) -> Bool:
    """Return bool [aligned rows, splits of the party]."""
    rows = len(alignment.identifiers)
    opened = session.ask(m.OpenScoring(model_id, alignment.id, alignment.fingerprint), m.ScoringOpened)
    if opened.rows != rows or opened.splits < needed:
        raise NotAligned(f"{session.peer} holds another alignment or another share of this model")
    parts: list[Bool] = [np.zeros((0, opened.splits), dtype=np.bool_)]
    for start in range(0, rows, SCORING_ROWS):
        count = min(SCORING_ROWS, rows - start)
        given = session.ask(m.AskDirections(start, count), m.DirectionsGiven)
        parts.append(from_bitmap(given.go_left, opened.splits, count))
        advance(count)
    session.ask(m.CloseScoring(), m.ScoringClosed)
    return np.concatenate(parts)


def ask_share(session: LabelSession, model_id: str) -> FeatureShare:
    """Ask a feature party to hand over its share of a model.

    Raises:
        PeerRefused: its policy does not allow that, or it has no such share.
        StateError: what it sent is no share.
    """
    return feature_share(session.ask(m.AskShare(model_id), m.ShareGiven).share)
