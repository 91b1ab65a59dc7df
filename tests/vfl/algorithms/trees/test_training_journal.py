"""A tree that is grown again is asked about as it was before: a label party gets no second, nearby sum."""

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.aggregation.bitmap import to_bitmap
from vfl.algorithms.trees import messages as m
from vfl.algorithms.trees.binning import bin_columns, cut_points
from vfl.algorithms.trees.disclosure_control import DisclosurePolicy
from vfl.algorithms.trees.feature_party import TrainingWorker
from vfl.algorithms.trees.training_journal import TrainingJournal
from vfl.crypto.packing import GradientPacking
from vfl.crypto.paillier import Decryptor, Encryptor
from vfl.errors import NotAligned, NotAllowed, StateError

ROWS = 60
POLICY = DisclosurePolicy(node_rows=5, histogram_rows=3)
PACKING = GradientPacking(10, ROWS, 1.0, 1.0)


@pytest.fixture(scope="module")
def ciphertexts(private_key):
    g = np.random.default_rng(0).integers(-1000, 1000, ROWS)
    return Encryptor(private_key).encrypt(PACKING.pack(g, np.full(ROWS, 256))).astype("<u8").tobytes()


@pytest.fixture
def party(consortium):
    customers = [f"C{i}" for i in range(ROWS)]
    frame = pd.DataFrame(np.random.default_rng(1).normal(size=(ROWS, 2)), index=customers, columns=["a", "b"])
    group = consortium(pd.DataFrame({"x": np.zeros(ROWS)}, index=customers), {"telco": frame})
    return group.parties["telco"]


def opening_of(alignment, key, **changed):
    fields = {
        "model": "m",
        "alignment": alignment.id,
        "fingerprint": alignment.fingerprint,
        "fit_rows": to_bitmap(np.ones(ROWS, bool)),
        "watch_rows": to_bitmap(np.zeros(ROWS, bool)),
        "public_key": key.public_key.to_bytes(),
        "fraction_bits": 10,
        "packed_rows": ROWS,
        "max_abs_g": 1.0,
        "max_h": 1.0,
        "max_bin": 8,
        "max_depth": 3,
        "trees": 5,
    }
    return m.OpenTraining(**(fields | changed))


@pytest.fixture
def opened(party, private_key):
    """Return a new worker of the training, opened with some fields changed."""

    def make(**changed):
        worker = TrainingWorker(party, policy=POLICY)
        worker.handle(opening_of(party.alignments["rows"], private_key, **changed))
        return worker

    return make


def root(worker, ciphertexts, rows=None):
    sampled = np.ones(ROWS, bool) if rows is None else rows
    worker.handle(m.OpenTree(0, to_bitmap(sampled), []))
    data = np.frombuffer(ciphertexts, "<u8").reshape(ROWS, -1)[sampled]
    worker.handle(m.Gradients(0, data.tobytes()))
    return worker.handle(m.SumRoot())


def level(left=1, go_left=30, node=0):
    """A level in which another party's split sends the first rows left, and the children are to be summed."""
    rows = np.arange(ROWS) < go_left
    return m.GrowLevel([], [m.Directions(node, left, to_bitmap(rows))], [left])


@pytest.mark.parametrize(
    "again",
    [level(go_left=29), level(go_left=31), level(left=3), level(left=7, go_left=29)],
    ids=["one row fewer", "one row more", "another number", "another number and a row fewer"],
)
def test_a_node_is_not_told_for_a_row_more_or_fewer(opened, ciphertexts, again):
    """A label party that breaks off and begins again gets the sums of the same rows, or none."""
    worker = opened()
    root(worker, ciphertexts)
    worker.handle(level())
    worker = opened()
    root(worker, ciphertexts)
    with pytest.raises(NotAllowed, match="does not grow again as it did before; train again"):
        worker.handle(again)


def test_a_level_that_was_not_summed_is_not_grown_otherwise(opened, ciphertexts):
    """Else a node below one whose sums were not asked could come near one told in the other attempt."""
    worker = opened()
    root(worker, ciphertexts)
    worker.handle(msgspec.structs.replace(level(), siblings=[]))
    worker = opened()
    root(worker, ciphertexts)
    with pytest.raises(NotAllowed, match="train again"):
        worker.handle(msgspec.structs.replace(level(go_left=29), siblings=[]))


def test_a_tree_is_not_sampled_anew(opened, ciphertexts):
    """The root is a node like any other: its rows are those of before."""
    root(opened(), ciphertexts)
    with pytest.raises(NotAllowed, match="train again"):
        root(opened(), ciphertexts, np.arange(ROWS) > 0)


def test_the_same_tree_has_the_same_sums(opened, ciphertexts, private_key):
    """In other ciphertexts, and further than the attempt that broke off."""
    told = []
    for _ in range(2):
        worker = opened()
        sums = [*root(worker, ciphertexts).sums, *worker.handle(level()).sums]
        told.append([of.ciphertexts for of in sums])
    deeper = m.GrowLevel([], [m.Directions(1, 3, to_bitmap(np.arange(30) < 10))], [3])
    assert worker.handle(deeper).sums[0].ciphertexts
    decryptor = Decryptor(private_key)
    for first, second in zip(*told, strict=True):
        plain = [decryptor.decrypt(np.frombuffer(c, "<u8").reshape(-1, 64)) for c in (first, second)]
        assert first != second
        assert np.array_equal(*plain)


def test_other_terms_are_taken_until_something_was_told(opened, ciphertexts):
    """A training that has told nothing can begin otherwise; after that it needs another name."""
    opened()
    worker = opened(max_depth=2)
    worker.handle(m.OpenTree(0, b"", []))
    root(opened(max_depth=4), ciphertexts)
    opened(max_depth=4)
    for changed in ({"max_depth": 2}, {"max_bin": 9}, {"trees": 6}, {"max_h": 0.5}):
        with pytest.raises(NotAligned, match="train again under another name"):
            opened(**changed)


def test_a_training_goes_on_with_the_splits_it_had(opened, ciphertexts):
    """Splits of trees that stand are kept, those of a tree that was broken off are void, none is made up."""
    worker = opened()
    root(worker, ciphertexts)
    worker.handle(m.GrowLevel([m.Split(0, 0, 1, 1, 3, True)], [], [1]))
    opened(grown=0, splits=0)
    with pytest.raises(NotAligned, match="0 splits of those trees are kept here, not 1"):
        opened(grown=1, splits=1)
    worker = opened()
    root(worker, ciphertexts)
    worker.handle(m.GrowLevel([m.Split(0, 0, 1, 1, 3, True)], [], [1]))
    opened(grown=1, splits=1).handle(m.CloseTraining(1))


def test_a_damaged_draft_says_what_to_do(opened, party, ciphertexts):
    """Lines that are no entries are not guessed at."""
    root(opened(), ciphertexts)
    party.drafts["m"].append(b'{"type":"level"}')
    with pytest.raises(StateError, match="damaged; train again under another name"):
        opened()


class Lines:
    """A store of one draft."""

    def __init__(self):
        self.lines = []

    def load_journal(self, name):
        return list(self.lines)

    def start_journal(self, name, head):
        self.lines = [head]

    def append_journal(self, name, entry):
        self.lines.append(entry)


LEVELS = st.lists(st.binary(min_size=1, max_size=3), min_size=1, max_size=5)


@settings(deadline=None, max_examples=40)
@given(attempts=st.lists(LEVELS, min_size=1, max_size=6))
def test_all_attempts_at_a_tree_are_beginnings_of_one(attempts):
    """Whatever is asked in whatever attempt, what is answered at a level is one request and no other."""
    columns = np.arange(16, dtype=np.float32).reshape(8, 2)
    cuts = cut_points(columns, 4)
    store, answered = Lines(), {}
    for levels in attempts:
        opening = m.OpenTraining("m", "a", bytes(32), b"", b"", b"k", 1, 1, 1.0, 1.0, 4, 3, 5)
        data = (cuts.values, bin_columns(columns, cuts))
        journal = TrainingJournal(store, opening, model="m", grown=0, n_splits=0, data=data)
        try:
            tree = journal.open_tree(0, m.OpenTree(0, b"", []))
            tree.keep([])
            for number, bitmap in enumerate(levels):
                tree.check(m.GrowLevel([], [m.Directions(0, 1, bitmap)], [1]))
                tree.keep([])
                assert answered.setdefault(number, bitmap) == bitmap
        except NotAllowed:
            assert answered[number] != bitmap
