"""The feature party's side of scoring, and of handing over its part of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vfl.aggregation.store import FeatureStore, open_rows
from vfl.algorithms.registry import ALGORITHMS, to_json
from vfl.arrays import Float32
from vfl.errors import MalformedMessage, NotAligned
from vfl.model.part import FeaturePart
from vfl.model.question import Question
from vfl.scoring import messages as m
from vfl.wire.message import Message

TellReasons = Callable[[Sequence[str]], list[str]]
"""For the columns of a part, the names under which contributions may be reported; none where they may not."""


class ScoringWorker:
    """Answers one scoring job.

    Args:
        store: this party's alignments, columns and parts.
        reasons: names under which contributions may be reported.
    """

    def __init__(self, store: FeatureStore, reasons: TellReasons = lambda columns: []) -> None:
        self._store = store
        self._reasons = reasons
        self._answers: _Answers | None = None

    def handle(self, request: Message) -> Message:
        """Return the reply to a request of this job; raises PeerError or LocalError."""
        if isinstance(request, m.OpenScoring):
            return self._open(request)
        if isinstance(request, Question) and self._answers:
            return self._answers.to(request)
        return m.ScoringClosed()

    def _open(self, request: m.OpenScoring) -> m.ScoringOpened:
        part = self._store.load_part(request.model)
        names, columns = open_rows(self._store, request.alignment, request.fingerprint)
        if names != part.columns:
            raise NotAligned("the columns of this party are not those that the model was trained on")
        reasons = self._reasons(part.features)
        self._answers = _Answers(part, columns, reasons)
        return m.ScoringOpened(part.outputs, len(columns), reasons)


class _Answers:
    """What a part says of aligned customers, once the job is open."""

    def __init__(self, part: FeaturePart, columns: Float32, reasons: Sequence[str]) -> None:
        self._part, self._columns, self._reasons = part, columns, reasons
        self._type = ALGORITHMS.model_type_of(part)

    def to(self, question: Question) -> Message:
        if not isinstance(question, self._type.question):
            raise MalformedMessage(f"{type(question).__name__} is no question about this kind of model")
        columns = self._columns[question.positions(len(self._columns))]
        return self._type.answer(self._part, columns, self._reasons)


class PartWorker:
    """Returns this party's part of one model; the policy was checked before."""

    def __init__(self, store: FeatureStore) -> None:
        self._store = store

    def handle(self, request: Message) -> Message:
        """Return the part; raises StateError where there is none."""
        assert isinstance(request, m.AskPart)  # noqa: S101  # the protocol lets nothing else through
        return m.PartGiven(to_json(self._store.load_part(request.model)))
