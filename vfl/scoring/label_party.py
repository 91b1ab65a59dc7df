"""The label party's side of scoring: ask every feature party about its columns, then put all together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from vfl.aggregation.table import LabelTable
from vfl.algorithms.registry import ALGORITHMS
from vfl.arrays import Float32, Integers
from vfl.errors import DataError, MalformedMessage, NotAligned
from vfl.model.part import FeaturePart, LabelPart
from vfl.model.predictor import Answers
from vfl.model.question import SCORING_ROWS
from vfl.psi.alignment import Alignment
from vfl.scoring import messages as m
from vfl.wire.session import LabelSession

Progress = Callable[[int, int, str], None]


class RemotePart:
    """A feature party's part of a model, at the far end of a scoring job that stays open.

    Args:
        session: a new conversation with the party; its first message is sent here.
        alignment: of the rows that may be asked for.
        part: the label party's part of the model.
        model_id: name of the model.

    Attributes:
        reasons: by column of the party, the name under which its contribution may be reported; columns of
            one name are reported as one value. Empty where the party forbids reasons.

    Raises:
        NotAligned: the party holds another alignment, or another part of this model.
        PeerError: it refused, could not be reached or sent something that cannot be accepted.
    """

    def __init__(self, session: LabelSession, alignment: Alignment, part: LabelPart, model_id: str) -> None:
        columns = part.peers[part.owners.index(session.peer)]
        self._session, self._outputs = session, columns.outputs
        self._type = ALGORITHMS.model_type_of(part)
        opened = session.ask(m.OpenScoring(model_id, alignment.id, alignment.fingerprint), m.ScoringOpened)
        if (opened.rows, opened.outputs) != (len(alignment.identifiers), self._outputs):
            raise NotAligned(f"{session.peer} holds another alignment or another part of this model")
        if len(opened.reasons) not in (0, len(columns.shown)):
            raise MalformedMessage(f"{session.peer} names reasons for other columns than it has")
        self.reasons: list[str] = opened.reasons

    def ask(self, positions: Integers) -> Answers:
        """Ask about rows, with one message unless a linear model's answer would not fit one.

        Args:
            positions: int64 [k], k at most `SCORING_ROWS`; positions in the alignment, in any order.

        Returns:
            [k, outputs]: of trees bool, which way rows go at every split of the party; of a linear model
            float64, what its columns add more than at their means, columns of one name in the place of the
            first.

        Raises:
            PeerError: as for the class.
        """
        return self._type.ask(self._session, positions.astype("<u4"), self._outputs, self.reasons)

    def close(self) -> None:
        """End the job; raises PeerError."""
        self._session.ask(m.CloseScoring(), m.ScoringClosed)


def score(
    sessions: Mapping[str, LabelSession],
    alignments: Mapping[str, Alignment],
    part: LabelPart,
    table: LabelTable,
    *,
    model_id: str,
    on_progress: Progress = lambda done, total, what: None,
) -> Float32:
    """Score rows with the feature parties' answers: one message for each `SCORING_ROWS` rows and party.

    Args:
        sessions: a new conversation with each feature party of the model.
        alignments: of the rows to score, by the same names; rows outside count as missing there.
        part: the label party's part.
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
    if list(table.names) != part.columns:
        raise DataError(f"the model was trained on the columns {', '.join(part.columns)}, in this order")
    answers = ask_all(sessions, alignments, part, model_id=model_id, on_progress=on_progress)
    rows_in_label_table = [table.rows_of(alignments[peer]) for peer in part.owners]
    return ALGORITHMS.predictor(part).predict(table.columns, answers, rows_in_label_table)


def ask_all(
    sessions: Mapping[str, LabelSession],
    alignments: Mapping[str, Alignment],
    part: LabelPart,
    *,
    model_id: str,
    on_progress: Progress = lambda done, total, what: None,
) -> list[Answers]:
    """Ask every feature party, all at once, about each of its aligned rows.

    Args:
        as for `score`.

    Returns:
        by feature party as from `RemotePart.ask`, rows in the order of its alignment.

    Raises:
        NotAligned, PeerError: as for `RemotePart`.
    """
    total = sum(len(alignments[peer].identifiers) for peer in part.owners)
    done = 0
    lock = threading.Lock()

    def advance(rows: int) -> None:
        nonlocal done
        with lock:
            done += rows
            on_progress(done, total, "")

    def ask(peer: str) -> Answers:
        alignment = alignments[peer]
        remote = RemotePart(sessions[peer], alignment, part, model_id)
        rows = np.arange(len(alignment.identifiers))
        parts = []
        for start in range(0, max(1, len(rows)), SCORING_ROWS):
            parts.append(remote.ask(rows[start : start + SCORING_ROWS]))
            advance(len(parts[-1]))
        remote.close()
        return np.concatenate(parts)

    with ThreadPoolExecutor(max(1, len(part.owners))) as pool:
        return list(pool.map(ask, part.owners))


def ask_part(session: LabelSession, model_id: str) -> FeaturePart:
    """Ask a feature party to hand over its part of a model.

    Raises:
        PeerRefused: its policy does not allow that, or it has no such part.
        StateError: what it sent is no part.
    """
    return ALGORITHMS.feature_part(session.ask(m.AskPart(model_id), m.PartGiven).part)
