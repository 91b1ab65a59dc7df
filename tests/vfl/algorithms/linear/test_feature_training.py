"""What a feature party computes in one training: encrypted sums of columns, and directions written down."""

import numpy as np
import pytest

from vfl.algorithms.linear import messages as m
from vfl.algorithms.linear.feature_training import FeatureTraining
from vfl.algorithms.linear.masks import Masks
from vfl.algorithms.linear.slots import Slots
from vfl.algorithms.linear.whole_numbers import whole_columns, whole_products
from vfl.crypto.kernel import to_ints
from vfl.crypto.paillier import Decryptor, Encryptor, check_ciphertexts
from vfl.errors import NotAligned, OutOfRange
from vfl.linear_model.columns import TrainingColumns

ROWS, KNOWN = 30, 24
ROUND = m.OpenRound([], True, 2, 0, 0, 0)


class Bench:
    """A feature party of three columns, the label party's key, and trainings of one model."""

    def __init__(self, group, key):
        self.party, self.alignment = group.parties["telco"], group.alignments["telco"]
        self.key, self.slots = key.public_key, Slots(ROWS)
        self.encryptor, self.decryptor = Encryptor(key), Decryptor(key)

    def open(self, model, **changed):
        fields = {"l2": 1.0, "l1": 0.0, "tol": 1e-5, "standardise": True, "rounds": 2} | changed
        rows = self.alignment.id, self.alignment.fingerprint
        request = m.OpenLinear(model, *rows, None, ROWS, self.key.to_bytes(), **fields)
        columns = TrainingColumns.load(self.party, *rows, None, standardise=True)
        return FeatureTraining(self.party, request, columns, self.key, self.slots, most=2)

    def residues(self, values):
        return check_ciphertexts(self.key, self.encryptor.encrypt(self.slots.pack(values)))

    def decrypted(self, residues):
        return self.decryptor.decrypt(self.key.modulus.from_residues(residues))

    def sums(self, residues, slots):
        """Return the slots of each encrypted sum."""
        plaintexts = to_ints(self.decrypted(residues), signed=True)
        return [self.slots.unpack(plaintext, slots) for plaintext in plaintexts]


@pytest.fixture(scope="module")
def bench(consortium, linear, private_key):
    people = linear.population(rows=ROWS, widths=(2, 3))
    telco = people.parties["telco"].loc[[f"C{i:05d}" for i in range(KNOWN)]]
    return Bench(consortium(people.label, {"telco": telco}), private_key)


@pytest.fixture(scope="module")
def training(bench):
    """Return a training for sums alone: each test takes what it adds."""
    return bench.open("sums")


@pytest.fixture(scope="module")
def rows(bench):
    """Return the party's columns, and after its customers one for all that it does not know."""
    bench_columns = TrainingColumns.load(
        bench.party, bench.alignment.id, bench.alignment.fingerprint, None, standardise=True
    )
    return bench_columns.with_strangers(1)


def test_customers_that_the_party_does_not_know_are_one_more_row(training, rows):
    """One ciphertext stands for all of them."""
    assert training.rows == len(rows) == KNOWN + 1


def test_residuals_are_summed_by_column(bench, training, rows):
    """In every slot the sum is that of whole columns times whole residuals; then it begins anew."""
    whole, _ = whole_columns(rows)
    for seed in (0, 1):
        values = np.random.default_rng(seed).integers(-(2**30), 2**30, (training.rows, 2))
        residues = bench.residues(values)
        training.add_residuals(0, residues[:11])
        training.add_residuals(11, residues[11:])
        assert bench.sums(training.gradient_sums(), 2) == (whole.T @ values).tolist()


def test_curvatures_are_summed_by_pair_of_columns(bench, training):
    """The sums of all six products are packed, in the order of the upper triangle."""
    values = np.random.default_rng(2).integers(0, 2**30, training.rows)
    training.add_curvatures(0, bench.residues(values[:, None]))
    packed = training.product_sums()
    expected = [int(product @ values) for product, _ in whole_products(training._directions.components)]
    assert training.per_plaintext >= len(expected) == 6
    assert bench.sums(packed, 6) == [expected]


def test_masked_sums_are_read_only_with_the_masks(bench, training):
    """What the label party decrypts is another number each time, and the masks give the same sums."""
    values = np.full((training.rows, 1), 7, dtype=np.int64)
    training.add_residuals(0, bench.residues(values))
    sums = training.gradient_sums()
    plain = to_ints(bench.decrypted(sums), signed=True)
    shown = []
    for _ in range(2):
        masks = Masks(bench.key, len(sums))
        data = training.masked(sums, masks)
        ciphertexts = np.frombuffer(data, "<u8").reshape(len(sums), -1)
        decrypted = bench.decryptor.decrypt(ciphertexts)
        shown += to_ints(decrypted, signed=True)
        assert masks.take_off(decrypted.astype("<u8").tobytes()) == plain
    assert len({*shown, *plain}) == 3 * len(sums)


def curve(training):
    """Give a training the curvatures of rows that all count alike."""
    training._directions.curve(np.eye(3)[np.triu_indices(3)] * 10, np.zeros((3, 0)))


def test_a_direction_is_written_down_before_it_leaves(bench):
    """A training that is broken off offers the same directions again, whatever it is asked about."""
    first = bench.open("again")
    curve(first)
    lines = len(bench.party.load_journal("again"))
    change, offer = first.offer(ROUND, np.array([1e6, -2e6, 3e5]))
    assert change > 0
    assert len(bench.party.load_journal("again")) > lines
    second = bench.open("again")
    curve(second)
    _, other = second.offer(ROUND, np.array([-5e5, 1e6, 9e6]))
    assert np.array_equal(other.values, offer.values)
    first.combine([0.5])
    closed = first.close()
    part = bench.party.parts["again"]
    assert (closed.base, closed.unknown) == (part.terms.base, part.terms.unknown())
    assert np.abs(part.terms.coefficients).max() > 0
    with pytest.raises(NotAligned, match="train again under another name"):
        bench.open("again", l2=2.0)


def test_coefficients_are_of_the_directions_offered(training):
    """Another number of them is refused; before the first offer there are none."""
    with pytest.raises(OutOfRange, match="0 directions are to be combined, not 1"):
        training.combine([1.0])
    training.combine([])


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("number", [np.inf, np.nan, 1e300])
def test_sums_that_are_no_gradient_are_refused(bench, training, number):
    """No direction is written down for a gradient without bounds."""
    curve(training)
    lines = bench.party.load_journal("sums")
    with pytest.raises(OutOfRange, match="no gradient"):
        training.offer(ROUND, np.array([number, 1.0, 1.0]))
    assert bench.party.load_journal("sums") == lines
