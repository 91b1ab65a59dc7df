"""The feature party's side of scoring, and of handing over its share."""

from __future__ import annotations

from vfl.errors import NotAligned, OutOfRange
from vfl.model import to_json
from vfl.store import FeatureStore, open_rows
from vfl.trees.bitmap import to_bitmap
from vfl.trees.predict import split_directions
from vfl.wire import messages as m


class ScoringWorker:
    """Answers one scoring job: which way each asked row goes at every split of this party's share."""

    def __init__(self, store: FeatureStore) -> None:
        self._store = store

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
        return m.ScoringOpened(len(self._share.splits), len(self._columns))

    def _directions(self, request: m.AskDirections) -> m.DirectionsGiven:
        end = request.offset + request.count
        if end > len(self._columns):
            raise OutOfRange(f"rows up to {end} were asked of {len(self._columns)}")
        go_left = split_directions(self._share, self._columns[request.offset : end])
        return m.DirectionsGiven(to_bitmap(go_left))


class ShareWorker:
    """Hands over this party's share of one model; the policy has been asked before."""

    def __init__(self, store: FeatureStore) -> None:
        self._store = store

    def handle(self, request: m.Message) -> m.Message:
        """Return the share; raises StateError where there is none."""
        assert isinstance(request, m.AskShare)  # noqa: S101  # the table of states lets nothing else through
        return m.ShareGiven(to_json(self._store.load_share(request.model)))
