"""What a feature party refuses in an alignment."""

from __future__ import annotations

import numpy as np
import pytest

from vfl.errors import MalformedMessage, NotAligned, NotAllowed, OutOfRange, OutOfSequence, VflError
from vfl.psi import messages as m
from vfl.psi.alignment import Alignment
from vfl.psi.feature_party import AlignmentWorker
from vfl.psi.group import hash_to_group, mask, new_scalar
from vfl.psi.identifiers import Recipe, prepare
from vfl.scoring.messages import AskPart
from vfl.wire.message import Message

RECIPE = Recipe.parse(["customer: strip"])
KEYS = [f"C{i}" for i in range(6)]
OPEN = m.OpenAlignment("spring", "left", RECIPE.lines, 4)
POINTS = mask(hash_to_group(KEYS[:4]), new_scalar())
MASK, FETCH = m.MaskPoints(POINTS), m.FetchPoints(0, 6)


class Store:
    def __init__(self) -> None:
        self.kept: list[Alignment] = []

    def save_alignment(self, alignment: Alignment) -> None:
        self.kept.append(alignment)


def worker(store: Store | None = None, **options) -> AlignmentWorker:
    return AlignmentWorker(prepare({"customer": KEYS}, RECIPE), store or Store(), peer="bank", **options)


def fix(*positions: int) -> m.FixAlignment:
    return m.FixAlignment(np.array(positions, "<u4").tobytes(), bytes(32))


@pytest.mark.parametrize(
    ("before", "request_", "error", "says"),
    [
        ([], m.OpenAlignment("a", "left", ["customer: strip upper"], 4), NotAligned, "same recipe"),
        ([], m.OpenAlignment("a", "inner", RECIPE.lines, 4), NotAllowed, "mode inner"),
        ([], m.OpenAlignment("a", "left", RECIPE.lines, 0), OutOfRange, "between 1 and 1000"),
        ([], m.OpenAlignment("a", "left", RECIPE.lines, 1001), OutOfRange, "between 1 and 1000"),
        ([], MASK, OutOfSequence, "open"),
        ([], AskPart("model"), OutOfSequence, "AskPart"),
        ([OPEN], m.MaskPoints(b""), MalformedMessage, "no points"),
        ([OPEN], m.MaskPoints(POINTS[:-1]), MalformedMessage, "whole points"),
        ([OPEN], m.MaskPoints(b"\xff" * 32), MalformedMessage, "canonical"),
        ([OPEN], m.MaskPoints(bytes(32)), MalformedMessage, "identity"),
        ([OPEN], m.MaskPoints(POINTS + POINTS[:32]), OutOfRange, "4 that were announced"),
        ([OPEN, MASK], m.MaskPoints(POINTS[:32]), OutOfRange, "4 that were announced"),
        ([OPEN], m.FetchPoints(0, 7), OutOfRange, "0 of 6"),
        ([OPEN], m.FetchPoints(1, 2), OutOfRange, "0 of 6"),
        ([OPEN, FETCH], m.FetchPoints(0, 1), OutOfRange, "6 of 6"),
        ([OPEN, FETCH], fix(0, 1), OutOfSequence, "exchange all points"),
        ([OPEN, MASK, m.FetchPoints(0, 5)], fix(0, 1), OutOfSequence, "5 of 6 fetched"),
        ([OPEN, MASK, FETCH], m.FixAlignment(bytes(7), bytes(32)), MalformedMessage, "whole positions"),
        ([OPEN, MASK, FETCH], fix(0, 6), OutOfRange, "below 6"),
        ([OPEN, MASK, FETCH], fix(3, 1, 3), OutOfRange, "repeat"),
        ([OPEN, MASK, FETCH], fix(0, 1, 2, 3, 4), OutOfRange, "announced"),
        ([OPEN, MASK, FETCH], fix(5), NotAllowed, "fewer than the 2"),
        ([OPEN, MASK, FETCH], fix(), NotAllowed, "fewer than the 2"),
    ],
)
def test_refusals(before: list[Message], request_: Message, error: type[VflError], says: str) -> None:
    """Each request that breaks the contract is refused with a sentence, and nothing is stored."""
    store = Store()
    party = worker(store, modes=["left"], min_rows=2, max_rows=1000)
    for message in before:
        party.handle(message)
    with pytest.raises(error, match=says):
        party.handle(request_)
    assert store.kept == []


def test_an_empty_intersection_is_never_stored() -> None:
    """Even where no minimum is asked for, an alignment of no rows is refused."""
    party = worker(min_rows=0)
    for message in (OPEN, MASK, FETCH):
        party.handle(message)
    with pytest.raises(NotAllowed):
        party.handle(fix())


def test_what_is_fixed_is_stored() -> None:
    """The positions pick this party's own identifiers, in the order asked for, under the key given."""
    store = Store()
    party = worker(store)
    for message in (OPEN, MASK, FETCH):
        party.handle(message)
    reply = party.handle(fix(4, 0, 2))
    (kept,) = store.kept
    assert set(kept.identifiers) < set(KEYS)
    assert isinstance(reply, m.AlignmentFixed)
    assert (reply.rows, reply.fingerprint) == (3, kept.fingerprint)
    assert (kept.id, kept.peer, kept.mode, kept.key) == ("spring", "bank", "left", bytes(32))


def test_points_come_shuffled_and_masked_afresh() -> None:
    """Points do not come in file order, and two jobs mask and order the same file differently."""
    keys = [f"C{i}" for i in range(64)]
    identifiers = prepare({"customer": keys}, RECIPE)
    orders = []
    for _ in range(2):
        store = Store()
        party = AlignmentWorker(identifiers, store, peer="bank")
        party.handle(m.OpenAlignment("spring", "left", RECIPE.lines, 64))
        party.handle(m.MaskPoints(hash_to_group(keys)))
        fetched = party.handle(m.FetchPoints(0, 64))
        assert isinstance(fetched, m.PointsFetched)
        party.handle(fix(*range(64)))
        orders.append((store.kept[0].identifiers, fetched.points))
    assert sorted(orders[0][0]) == sorted(orders[1][0]) == sorted(keys)
    assert len({tuple(keys), tuple(orders[0][0]), tuple(orders[1][0])}) == 3
    assert orders[0][1] != orders[1][1]
