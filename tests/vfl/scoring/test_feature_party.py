"""A feature party answers a scoring job for the rows asked, and refuses what cannot be asked."""

import numpy as np
import pandas as pd
import pytest

from vfl.aggregation.bitmap import from_bitmap
from vfl.algorithms.trees.messages import AskDirections, DirectionsGiven
from vfl.algorithms.trees.parts import SplitTable, TreesFeaturePart
from vfl.errors import PeerRefused
from vfl.model.question import SCORING_ROWS
from vfl.scoring import messages as m
from vfl.scoring.feature_party import ScoringWorker

CUSTOMERS = [f"C{i}" for i in range(5)]
SHARE = TreesFeaturePart(
    columns=["age", "calls"],
    splits=SplitTable(feature=[1, 0, 1], threshold=[2.5, 0.5, 0.5], default_left=[True, False, False]),
)
CALLS = [0.0, 1.0, 2.0, 3.0, float("nan")]


@pytest.fixture
def group(consortium):
    label = pd.DataFrame({"own": np.zeros(5)}, index=CUSTOMERS)
    telco = pd.DataFrame({"age": np.arange(5.0), "calls": CALLS}, index=CUSTOMERS)
    group = consortium(label, {"telco": telco})
    group.parties["telco"].save_part("m", SHARE)
    return group


def opening(group):
    alignment = group.alignments["telco"]
    return m.OpenScoring("m", alignment.id, alignment.fingerprint)


def ask(session, rows):
    return session.ask(AskDirections(np.array(rows, dtype="<u4").tobytes()), DirectionsGiven).go_left


@pytest.mark.parametrize("rows", [[0, 1, 2, 3, 4], [4, 0], [2, 2, 2], []], ids=str)
def test_rows_are_answered_as_they_were_asked(group, rows):
    """Any order, repeats and no row at all: the answer has a line of bits for each asked position."""
    session = group.sessions()["telco"]
    session.ask(opening(group), m.ScoringOpened)
    given = from_bitmap(ask(session, rows), 3, len(rows))
    customers = [int(group.alignments["telco"].identifiers[row][1:]) for row in rows]
    below = lambda value, limit, default: default if np.isnan(value) else value < limit  # noqa: E731
    assert given.tolist() == [
        [below(CALLS[c], 2.5, True), below(c, 0.5, False), below(CALLS[c], 0.5, False)] for c in customers
    ]


@pytest.mark.parametrize(
    ("rows", "code", "told"),
    [
        (bytes(7), "malformed", "7 bytes came"),
        (np.array([0, 5], dtype="<u4").tobytes(), "out_of_range", "row 5 was asked for"),
        (b"\xff" * 4, "out_of_range", "row 4294967295 was asked for"),
        (bytes(4 * SCORING_ROWS + 4), "malformed", "length <= 262144"),
    ],
    ids=["odd bytes", "past the end", "negative", "too many"],
)
def test_positions_that_cannot_be_are_refused(group, rows, code, told):
    """Broken, unknown and too many positions are each refused with what is wrong."""
    session = group.sessions()["telco"]
    session.ask(opening(group), m.ScoringOpened)
    with pytest.raises(PeerRefused, match=told) as caught:
        session.ask(AskDirections(rows), DirectionsGiven)
    assert caught.value.peer_code == code


def test_reasons_are_named_as_the_owner_says(group):
    """The names come from the owner, for the columns of the share; an owner who says nothing forbids them."""
    store = group.parties["telco"]
    opened = ScoringWorker(store, lambda columns: [f"the {name}" for name in columns]).handle(opening(group))
    assert opened == m.ScoringOpened(3, 5, ["the age", "the calls"])
    assert ScoringWorker(store).handle(opening(group)).reasons == []
