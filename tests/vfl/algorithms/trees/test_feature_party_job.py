"""A training at a feature party: which trees it opens, and which splits it keeps at the end."""

import msgspec
import numpy as np
import pandas as pd
import pytest

from vfl.aggregation.bitmap import to_bitmap
from vfl.algorithms.trees import messages as m
from vfl.algorithms.trees.columns import Split
from vfl.algorithms.trees.disclosure_control import DisclosurePolicy
from vfl.algorithms.trees.feature_columns import FeatureColumns
from vfl.algorithms.trees.feature_party import NO_POLICY
from vfl.algorithms.trees.feature_party_job import FeatureJob
from vfl.errors import NotAllowed, OutOfRange, OutOfSequence

ROWS = 20
FIT = np.arange(ROWS) < 15
NAMES = ["a", "b", "c"]


class Opener:
    """Opens trainings at one party, with some fields of the request changed."""

    def __init__(self, party, key):
        self.party, self.key = party, key

    def __call__(self, policy=NO_POLICY, **changed):
        opening = m.OpenTraining(
            model="m",
            alignment="rows",
            fingerprint=bytes(32),
            fit_rows=to_bitmap(FIT),
            watch_rows=to_bitmap(~FIT),
            public_key=self.key.public_key.to_bytes(),
            fraction_bits=10,
            packed_rows=ROWS,
            max_abs_g=1.0,
            max_h=1.0,
            max_bin=8,
            max_depth=3,
            trees=4,
        )
        columns = self.party.frame.to_numpy()
        table = FeatureColumns.prepare(NAMES, columns, FIT, ~FIT, max_bin=8, least=1)
        return FeatureJob(self.party, msgspec.structs.replace(opening, **changed), table, policy)


def new_party(consortium):
    customers = [f"C{i}" for i in range(ROWS)]
    columns = np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)
    frame = pd.DataFrame(columns, index=customers, columns=NAMES)
    return consortium(pd.DataFrame({"x": np.zeros(ROWS)}, index=customers), {"telco": frame}).parties["telco"]


@pytest.fixture
def party(consortium):
    return new_party(consortium)


@pytest.fixture
def open_job(party, private_key):
    return Opener(party, private_key)


@pytest.fixture(scope="module")
def opened(consortium, private_key):
    """Return a job for requests that are all refused: a refusal changes nothing."""
    return Opener(new_party(consortium), private_key)()


def request(tree=0, rows=None, columns=()):
    return m.OpenTree(tree, b"" if rows is None else to_bitmap(rows), list(columns))


def grow(job, tree, splits, columns=()):
    """Open a tree, split its nodes along the left edge, and write the splits down as a worker does."""
    grown, journal = job.open_tree(request(tree, columns=columns))
    journal.keep([])
    for depth in range(splits):
        number = len(job.last_splits(10_000))
        grown.apply(Split(number, 0 if not depth else 2 * depth - 1, 2 * depth + 1, 0, 5 - depth, False))
    journal.check(m.GrowLevel([], [], []))
    journal.keep(job.last_splits(splits))


def test_a_tree_without_a_bitmap_samples_all_rows_that_train(open_job):
    """Rows that validate are in no sum, whether the label party names its rows or not."""
    job = open_job()
    assert job.open_tree(request())[0].rows == FIT.sum()
    assert job.open_tree(request(1, np.arange(ROWS) < 7))[0].rows == 7


@pytest.mark.parametrize("tree", [4, 5], ids=["one more than agreed", "far beyond"])
def test_no_more_trees_are_opened_than_the_job_has(opened, tree):
    """The number of trees is part of the opening, and bounds what the label party can learn."""
    with pytest.raises(OutOfSequence, match=f"tree {tree} is not a next tree"):
        opened.open_tree(request(tree))


def test_trees_are_opened_in_ascending_order(open_job):
    """No tree is opened twice or after a later one; trees may be left out."""
    job = open_job()
    job.open_tree(request(0))
    job.open_tree(request(2))
    for tree in (0, 1, 2):
        with pytest.raises(OutOfSequence):
            job.open_tree(request(tree))
    job.open_tree(request(3))


@pytest.mark.parametrize(
    "columns",
    [[1, 0], [0, 0], [3], [0, 1, 2, 3]],
    ids=["descending", "twice", "no such column", "one too many"],
)
def test_columns_of_a_tree_ascend_and_exist(opened, columns):
    """Both parties count the bins of the same columns in the same order."""
    with pytest.raises(OutOfRange, match="columns must ascend and exist"):
        opened.open_tree(request(columns=columns))


def test_a_tree_samples_only_rows_that_train(opened):
    """A row that was named for validation is never summed."""
    with pytest.raises(OutOfRange, match="rows that the job does not fit"):
        opened.open_tree(request(rows=np.arange(ROWS) < 16))


def test_a_tree_of_few_rows_is_refused(open_job):
    """Disclosure control sees a tree before a ciphertext of it is taken."""
    job = open_job(DisclosurePolicy(vector_rows=8))
    with pytest.raises(NotAllowed, match="gradients of 7 rows"):
        job.open_tree(request(rows=np.arange(ROWS) < 7))


@pytest.mark.parametrize(
    "changed",
    [{"max_h": 0.0}, {"max_abs_g": 0.0}, {"fraction_bits": 52}, {"max_abs_g": 1e30}],
    ids=["no hessian", "no gradient", "too many binary places", "a bound too large"],
)
def test_bounds_that_no_exact_sum_can_have_are_refused(open_job, party, changed):
    """The job ends before anything of it is written down."""
    with pytest.raises(OutOfRange, match="bounds of the job cannot be kept"):
        open_job(**changed)
    assert party.load_journal("m") == []


def test_the_part_has_the_splits_of_the_first_trees_alone(open_job, party):
    """Trees that the label party drops leave nothing, and one never opened here has no split."""
    job = open_job()
    grow(job, 0, 2)
    grow(job, 2, 1)
    for trees, splits in enumerate([0, 2, 2, 3, 3]):
        assert job.keep(trees) == splits
        assert len(party.parts["m"].splits) == splits
        assert party.parts["m"].columns == NAMES


def test_more_trees_than_the_job_has_cannot_be_kept(open_job, party):
    """The request is refused and no part is stored."""
    job = open_job()
    with pytest.raises(OutOfRange, match="5 trees cannot be kept of 4"):
        job.keep(5)
    assert party.parts == {}


def test_a_job_that_was_broken_off_goes_on_after_its_standing_trees(open_job, party):
    """Splits of standing trees are there again, later trees are opened anew, and earlier ones are not."""
    job = open_job()
    grow(job, 0, 2)
    grow(job, 1, 1)
    again = open_job(grown=1, splits=2)
    with pytest.raises(OutOfSequence):
        again.open_tree(request(0))
    grow(again, 1, 1)
    assert again.keep(2) == 3
