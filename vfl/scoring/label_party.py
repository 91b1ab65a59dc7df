"""The label party's side of scoring: ask every feature party for directions, then walk the trees."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from vfl.errors import DataError, MalformedMessage, NotAligned
from vfl.model import FeatureShare, LabelShare, feature_share
from vfl.psi.alignment import Alignment
from vfl.table import LabelTable
from vfl.trees.bitmap import from_bitmap
from vfl.trees.predict import Predictor
from vfl.wire import messages as m
from vfl.wire.messages import SCORING_ROWS
from vfl.wire.session import LabelSession

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Progress = Callable[[int, int, str], None]


class RemoteShare:
    """A feature party's share of a model, at the far end of a scoring job that stays open.

    Args:
        session: a new conversation with the party; its first message is sent here.
        alignment: of the rows that may be asked for.
        share: the label party's share of the model.
        model_id: name of the model.

    Attributes:
        reasons: by column of the party, the name under which its contribution may be told; columns of one
            name are told as one value. Empty where the party forbids telling any.

    Raises:
        NotAligned: the party holds another alignment, or another share of this model.
        PeerError: it refused, could not be reached or sent something that cannot be accepted.
    """

    def __init__(
        self, session: LabelSession, alignment: Alignment, share: LabelShare, model_id: str
    ) -> None:
        columns = share.peers[share.owners.index(session.peer)]
        self._session = session
        self._splits = len(columns.split_column)
        opened = session.ask(m.OpenScoring(model_id, alignment.id, alignment.fingerprint), m.ScoringOpened)
        if (opened.rows, opened.splits) != (len(alignment.identifiers), self._splits):
            raise NotAligned(f"{session.peer} holds another alignment or another share of this model")
        if len(opened.reasons) not in (0, len(columns.shown)):
            raise MalformedMessage(f"{session.peer} names reasons for other columns than it has")
        self.reasons: list[str] = opened.reasons

    def directions(self, positions: Integers) -> Bool:
        """Ask with one message which way rows go at every split of the party.

        Args:
            positions: int64 [k], k at most `SCORING_ROWS`; positions in the alignment, in any order.

        Returns:
            bool [k, splits].

        Raises:
            PeerError: as for the class.
        """
        asked = m.AskDirections(positions.astype("<u4").tobytes())
        given = self._session.ask(asked, m.DirectionsGiven)
        return from_bitmap(given.go_left, self._splits, len(positions))

    def close(self) -> None:
        """End the job; raises PeerError."""
        self._session.ask(m.CloseScoring(), m.ScoringClosed)


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
    directions = ask_all(sessions, alignments, share, model_id=model_id, on_progress=on_progress)
    known = [table.rows_of(alignments[peer]) for peer in share.owners]
    return Predictor(share).predict(table.columns, directions, known)


def ask_all(
    sessions: Mapping[str, LabelSession],
    alignments: Mapping[str, Alignment],
    share: LabelShare,
    *,
    model_id: str,
    on_progress: Progress = lambda done, total, what: None,
) -> list[Bool]:
    """Ask every feature party, all at once, which way each of its aligned rows goes at its splits.

    Args:
        as for `score`.

    Returns:
        by feature party, bool [aligned rows, its splits], rows in the order of its alignment.

    Raises:
        NotAligned, PeerError: as for `RemoteShare`.
    """
    total = sum(len(alignments[peer].identifiers) for peer in share.owners)
    done = 0
    lock = threading.Lock()

    def advance(rows: int) -> None:
        nonlocal done
        with lock:
            done += rows
            on_progress(done, total, "")

    def ask(peer: str) -> Bool:
        alignment = alignments[peer]
        remote = RemoteShare(sessions[peer], alignment, share, model_id)
        rows = np.arange(len(alignment.identifiers))
        parts = []
        for start in range(0, max(1, len(rows)), SCORING_ROWS):
            parts.append(remote.directions(rows[start : start + SCORING_ROWS]))
            advance(len(parts[-1]))
        remote.close()
        return np.concatenate(parts)

    with ThreadPoolExecutor(max(1, len(share.owners))) as pool:
        return list(pool.map(ask, share.owners))


def ask_share(session: LabelSession, model_id: str) -> FeatureShare:
    """Ask a feature party to hand over its share of a model.

    Raises:
        PeerRefused: its policy does not allow that, or it has no such share.
        StateError: what it sent is no share.
    """
    return feature_share(session.ask(m.AskShare(model_id), m.ShareGiven).share)
