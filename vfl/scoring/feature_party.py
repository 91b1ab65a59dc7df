"""The feature party's side of scoring, and of handing over its share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from vfl.errors import MalformedMessage, NotAligned, OutOfRange
from vfl.model import to_json
from vfl.store import FeatureStore, open_rows
from vfl.trees.bitmap import to_bitmap
from vfl.trees.predict import split_directions
from vfl.wire import messages as m


class ScoringWorker:
    """Answers one scoring job: which way each asked row goes at every split of this party's share.

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
        if isinstance(request, m.AskDirections):
            return self._directions(request)
        return m.ScoringClosed()

    def _open(self, request: m.OpenScoring) -> m.ScoringOpened:
        self._share = self._store.load_share(request.model)
        names, self._columns = open_rows(self._store, request.alignment, request.fingerprint)
        if names != self._share.columns:
            raise NotAligned("the columns of this party are not those that the model was trained on")
        return m.ScoringOpened(len(self._share.splits), len(self._columns), self._reasons(names))

    def _directions(self, request: m.AskDirections) -> m.DirectionsGiven:
        rows = _positions(request.rows, len(self._columns))
        return m.DirectionsGiven(to_bitmap(split_directions(self._share, self._columns[rows])))


class ShareWorker:
    """Hands over this party's share of one model; the policy has been asked before."""

    def __init__(self, store: FeatureStore) -> None:
        self._store = store

    def handle(self, request: m.Message) -> m.Message:
        """Return the share; raises StateError where there is none."""
        assert isinstance(request, m.AskShare)  # noqa: S101  # the table of states lets nothing else through
        return m.ShareGiven(to_json(self._store.load_share(request.model)))


def _positions(rows: bytes, n_rows: int) -> npt.NDArray[np.uint32]:
    """Return asked positions, of which the message holds few enough; raises PeerError."""
    if len(rows) % 4:
        raise MalformedMessage(f"positions must be whole numbers of 4 bytes, and {len(rows)} bytes came")
    positions = np.frombuffer(rows, dtype="<u4")
    if len(positions) and positions.max() >= n_rows:
        raise OutOfRange(f"row {positions.max()} was asked for where the alignment has {n_rows} rows")
    return positions
