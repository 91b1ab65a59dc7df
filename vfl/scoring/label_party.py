"""The label party's side of scoring: ask every feature party about its columns, then put all together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from vfl.errors import DataError, MalformedMessage, NotAligned
from vfl.linear.model import LinearLabelShare
from vfl.linear.predict import places
from vfl.model import LabelShare
from vfl.psi.alignment import Alignment
from vfl.scoring.kinds import AnyFeatureShare, AnyLabelShare, feature_share, model_of
from vfl.scoring.model import Told
from vfl.table import LabelTable
from vfl.trees.bitmap import from_bitmap
from vfl.wire import messages as m
from vfl.wire.messages import SCORING_ROWS
from vfl.wire.session import LabelSession

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Positions = npt.NDArray[np.uint32]
Progress = Callable[[int, int, str], None]


MAX_ANSWER_BYTES = 2**25
"""Of partial scores in one message: half of what a frame may hold."""


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
        self, session: LabelSession, alignment: Alignment, share: AnyLabelShare, model_id: str
    ) -> None:
        columns = share.peers[share.owners.index(session.peer)]
        self._session, self._parts, self._ask = session, columns.parts, _QUESTIONS[type(share)]
        opened = session.ask(m.OpenScoring(model_id, alignment.id, alignment.fingerprint), m.ScoringOpened)
        if (opened.rows, opened.parts) != (len(alignment.identifiers), self._parts):
            raise NotAligned(f"{session.peer} holds another alignment or another share of this model")
        if len(opened.reasons) not in (0, len(columns.shown)):
            raise MalformedMessage(f"{session.peer} names reasons for other columns than it has")
        self.reasons: list[str] = opened.reasons

    def told(self, positions: Integers) -> Told:
        """Ask about rows, with one message unless a linear model's answer would not fit one.

        Args:
            positions: int64 [k], k at most `SCORING_ROWS`; positions in the alignment, in any order.

        Returns:
            [k, parts]: of trees bool, which way rows go at every split of the party; of a linear model
            float64, what its columns add more than at their means, columns of one name in the place of the
            first.

        Raises:
            PeerError: as for the class.
        """
        return self._ask(self._session, positions.astype("<u4"), self._parts, self.reasons)

    def close(self) -> None:
        """End the job; raises PeerError."""
        self._session.ask(m.CloseScoring(), m.ScoringClosed)


def score(
    sessions: Mapping[str, LabelSession],
    alignments: Mapping[str, Alignment],
    share: AnyLabelShare,
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
        float32 [n]: of trees the prediction of XGBoost on the pooled columns, of a linear model that of
        scikit-learn.

    Raises:
        DataError: other columns than the model was trained on.
        NotAligned, PeerError: as in `train`.
    """
    if list(table.names) != share.columns:
        raise DataError(f"the model was trained on the columns {', '.join(share.columns)}, in this order")
    told = ask_all(sessions, alignments, share, model_id=model_id, on_progress=on_progress)
    known = [table.rows_of(alignments[peer]) for peer in share.owners]
    return model_of(share).predict(table.columns, told, known)


def ask_all(
    sessions: Mapping[str, LabelSession],
    alignments: Mapping[str, Alignment],
    share: AnyLabelShare,
    *,
    model_id: str,
    on_progress: Progress = lambda done, total, what: None,
) -> list[Told]:
    """Ask every feature party, all at once, about each of its aligned rows.

    Args:
        as for `score`.

    Returns:
        by feature party as from `RemoteShare.told`, rows in the order of its alignment.

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

    def ask(peer: str) -> Told:
        alignment = alignments[peer]
        remote = RemoteShare(sessions[peer], alignment, share, model_id)
        rows = np.arange(len(alignment.identifiers))
        parts = []
        for start in range(0, max(1, len(rows)), SCORING_ROWS):
            parts.append(remote.told(rows[start : start + SCORING_ROWS]))
            advance(len(parts[-1]))
        remote.close()
        return np.concatenate(parts)

    with ThreadPoolExecutor(max(1, len(share.owners))) as pool:
        return list(pool.map(ask, share.owners))


def ask_share(session: LabelSession, model_id: str) -> AnyFeatureShare:
    """Ask a feature party to hand over its share of a model.

    Raises:
        PeerRefused: its policy does not allow that, or it has no such share.
        StateError: what it sent is no share.
    """
    return feature_share(session.ask(m.AskShare(model_id), m.ShareGiven).share)


def _directions(session: LabelSession, rows: Positions, parts: int, reasons: Sequence[str]) -> Bool:
    given = session.ask(m.AskDirections(rows.tobytes()), m.DirectionsGiven)
    return from_bitmap(given.go_left, parts, len(rows))


def _partial_scores(session: LabelSession, rows: Positions, parts: int, reasons: Sequence[str]) -> Float64:
    first = np.unique(places(reasons, parts))
    told = np.zeros((len(rows), parts))
    step = MAX_ANSWER_BYTES // (8 * len(first))
    for start in range(0, max(1, len(rows)), step):
        asked = rows[start : start + step]
        given = session.ask(m.AskPartialScores(asked.tobytes()), m.PartialScoresGiven)
        if len(given.values) != 8 * len(asked) * len(first):
            raise MalformedMessage(f"{session.peer} gave other partial scores than it was asked for")
        values = np.frombuffer(given.values, dtype="<f8").reshape(-1, len(first))
        if not np.isfinite(values).all():
            raise MalformedMessage(f"{session.peer} gave a partial score that is not finite")
        told[start : start + step, first] = values
    return told


_QUESTIONS: dict[type[AnyLabelShare], Callable[[LabelSession, Positions, int, Sequence[str]], Told]] = {
    LabelShare: _directions,
    LinearLabelShare: _partial_scores,
}
"""By kind of share, how a feature party is asked about rows."""
