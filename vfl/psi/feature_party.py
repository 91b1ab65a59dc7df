"""The feature party's side of an alignment: it masks points, and learns which rows are common."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

import numpy as np

from vfl.errors import MalformedMessage, NotAligned, NotAllowed, OutOfRange, OutOfSequence
from vfl.psi import messages as m
from vfl.psi.alignment import MAX_ROWS, Alignment, Mode, secret_order
from vfl.psi.group import POINT_BYTES, hash_to_group, mask, new_scalar
from vfl.psi.identifiers import PreparedIdentifiers
from vfl.trace import span
from vfl.wire.message import Message


class AlignmentStore(Protocol):
    """Where a feature party keeps its alignments."""

    def save_alignment(self, alignment: Alignment) -> None: ...


class AlignmentWorker:
    """Answers the requests of one alignment job.

    Args:
        identifiers: this party's canonical keys.
        store: keeps the alignment once it is fixed.
        peer: name of the label party.
        modes: modes this party agrees to.
        min_rows: fewest common rows this party agrees to; a very small intersection would point at
            single customers.
        max_rows: most rows the label party may announce.
    """

    def __init__(
        self,
        identifiers: PreparedIdentifiers,
        store: AlignmentStore,
        *,
        peer: str,
        modes: Collection[Mode] = ("left", "inner"),
        min_rows: int = 1,
        max_rows: int = MAX_ROWS,
    ) -> None:
        self._recipe = identifiers.recipe
        self._keys = [identifiers.keys[row] for row in secret_order(len(identifiers.keys))]
        self._store = store
        self._peer = peer
        self._modes = modes
        self._min_rows = max(1, min_rows)
        self._max_rows = max_rows
        self._scalar = new_scalar()
        self._opened: m.OpenAlignment | None = None
        self._masked = 0  # points of the label party masked so far
        self._fetched = 0  # own points handed out so far

    def handle(self, message: Message) -> Message:
        """Return the reply to one request.

        Raises:
            NotAligned: the two recipes differ.
            NotAllowed: the mode, or so few common rows, is not agreed to here.
            OutOfRange: counts, offsets or positions beyond what was announced.
            OutOfSequence: the alignment was to be fixed before all points were exchanged.
            MalformedMessage: bytes that are not points or not positions.
        """
        answers: dict[type[Message], Callable[..., Message]] = {
            m.OpenAlignment: self._open,
            m.MaskPoints: self._mask,
            m.FetchPoints: self._fetch,
            m.FixAlignment: self._fix,
        }
        if type(message) not in answers:
            raise OutOfSequence(f"{type(message).__name__} is no request of an alignment")
        return answers[type(message)](message)

    def _open(self, request: m.OpenAlignment) -> m.AlignmentOpened:
        if request.recipe != self._recipe.lines:
            raise NotAligned(
                "both parties must prepare identifiers by the same recipe; "
                f"asked for {request.recipe}, here it is {self._recipe.lines}"
            )
        if request.mode not in self._modes:
            raise NotAllowed(f"mode {request.mode} is not allowed here, only {', '.join(self._modes)}")
        if not 1 <= request.rows <= self._max_rows:
            raise OutOfRange(f"announce between 1 and {self._max_rows} rows, not {request.rows}")
        self._opened = request
        return m.AlignmentOpened(len(self._keys))

    def _mask(self, request: m.MaskPoints) -> m.PointsMasked:
        count, announced = len(request.points) // POINT_BYTES, self._request.rows
        if not request.points:
            raise MalformedMessage("there are no points to mask")
        if self._masked + count > announced:
            raise OutOfRange(f"more points than the {announced} that were announced")
        with span("mask points"):
            masked = mask(request.points, self._scalar)
        self._masked += count
        return m.PointsMasked(masked)

    def _fetch(self, request: m.FetchPoints) -> m.PointsFetched:
        end = request.offset + request.count
        if request.offset != self._fetched or end > len(self._keys):
            raise OutOfRange(
                f"points {request.offset} to {end} are not the next ones: "
                f"{self._fetched} of {len(self._keys)} were handed out"
            )
        with span("mask points"):
            points = mask(hash_to_group(self._keys[request.offset : end]), self._scalar)
        self._fetched = end
        return m.PointsFetched(points)

    def _fix(self, request: m.FixAlignment) -> m.AlignmentFixed:
        opened = self._request
        if self._masked < opened.rows or self._fetched < len(self._keys):
            raise OutOfSequence(
                f"exchange all points first: {self._masked} of {opened.rows} were masked, "
                f"{self._fetched} of {len(self._keys)} fetched"
            )
        positions = self._positions(request.positions)
        alignment = Alignment.fix(
            opened.alignment,
            self._peer,
            opened.mode,
            request.key,
            [self._keys[position] for position in positions],
        )
        self._store.save_alignment(alignment)
        return m.AlignmentFixed(len(positions), alignment.fingerprint)

    def _positions(self, data: bytes) -> list[int]:
        """Return the positions into this party's points, checked."""
        if len(data) % 4:
            raise MalformedMessage(f"{len(data)} bytes are not whole positions of 4 bytes")
        positions = np.frombuffer(data, "<u4")
        if len(positions) < self._min_rows:
            raise NotAllowed(
                f"{len(positions)} common rows are fewer than the {self._min_rows} that this party requires"
            )
        if len(positions) > self._request.rows or positions.max() >= len(self._keys):
            raise OutOfRange(f"positions must be below {len(self._keys)} and no more than were announced")
        if len(np.unique(positions)) < len(positions):
            raise OutOfRange("positions must not repeat")
        return [int(position) for position in positions]

    @property
    def _request(self) -> m.OpenAlignment:
        if self._opened is None:
            raise OutOfSequence("open the alignment first")
        return self._opened
