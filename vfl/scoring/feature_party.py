"""The feature party's side of scoring, and of handing over its share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vfl.binning import Columns
from vfl.errors import MalformedMessage, NotAligned, OutOfRange
from vfl.linear.model import LinearFeatureShare
from vfl.linear.predict import partial_scores
from vfl.model import FeatureShare
from vfl.scoring.kinds import AnyFeatureShare, to_json
from vfl.store import FeatureStore, open_rows
from vfl.trees.bitmap import to_bitmap
from vfl.trees.predict import split_directions
from vfl.wire import messages as m


class ScoringWorker:
    """Answers one scoring job: which way each asked row goes at every split of this party's share of trees,
    or what the row's columns add in its share of a linear model.

    Args:
        store: this party's alignments, columns and shares.
        reasons: for the columns of a share, the names under which their contributions may be told; an
            empty list forbids telling any.
    """

    def __init__(
        self, store: FeatureStore, reasons: Callable[[Sequence[str]], list[str]] = lambda columns: []
    ) -> None:
        self._store = store
        self._reasons = reasons

    def handle(self, request: m.Message) -> m.Message:
        """Return the reply to a request of this job; raises PeerError or LocalError."""
        if isinstance(request, m.OpenScoring):
            return self._open(request)
        if isinstance(request, m.CloseScoring):
            return m.ScoringClosed()
        kind, answer = _ANSWERS[type(request)]
        if not isinstance(self._share, kind):
            raise MalformedMessage(f"{type(request).__name__} is no question about this kind of model")
        assert isinstance(request, (m.AskDirections, m.AskPartialScores))  # noqa: S101  # see the states
        return answer(self._share, self._columns[_positions(request.rows, len(self._columns))], self._told)

    def _open(self, request: m.OpenScoring) -> m.ScoringOpened:
        self._share = self._store.load_share(request.model)
        names, self._columns = open_rows(self._store, request.alignment, request.fingerprint)
        if names != self._share.columns:
            raise NotAligned("the columns of this party are not those that the model was trained on")
        self._told = self._reasons(self._share.features)
        return m.ScoringOpened(self._share.parts, len(self._columns), self._told)


class ShareWorker:
    """Hands over this party's share of one model; the policy has been asked before."""

    def __init__(self, store: FeatureStore) -> None:
        self._store = store

    def handle(self, request: m.Message) -> m.Message:
        """Return the share; raises StateError where there is none."""
        assert isinstance(request, m.AskShare)  # noqa: S101  # the table of states lets nothing else through
        return m.ShareGiven(to_json(self._store.load_share(request.model)))


def _directions(share: FeatureShare, columns: Columns, reasons: Sequence[str]) -> m.DirectionsGiven:
    return m.DirectionsGiven(to_bitmap(split_directions(share, columns)))


def _partial_scores(
    share: LinearFeatureShare, columns: Columns, reasons: Sequence[str]
) -> m.PartialScoresGiven:
    values = partial_scores(share, columns, reasons)
    return m.PartialScoresGiven(values.astype("<f8", copy=False).tobytes())


_Answer = Callable[[Any, Columns, Sequence[str]], m.Message]

_ANSWERS: dict[type[m.Message], tuple[type[AnyFeatureShare], _Answer]] = {
    m.AskDirections: (FeatureShare, _directions),
    m.AskPartialScores: (LinearFeatureShare, _partial_scores),
}
"""By question, the kind of share that it is about, and what answers it."""


def _positions(rows: bytes, n_rows: int) -> npt.NDArray[np.uint32]:
    """Return asked positions, of which the message holds few enough; raises PeerError."""
    if len(rows) % 4:
        raise MalformedMessage(f"positions must be whole numbers of 4 bytes, and {len(rows)} bytes came")
    positions = np.frombuffer(rows, dtype="<u4")
    if len(positions) and positions.max() >= n_rows:
        raise OutOfRange(f"row {positions.max()} was asked for where the alignment has {n_rows} rows")
    return positions
