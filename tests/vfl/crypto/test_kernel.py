"""Every path of the kernel agrees with Python's integers, on the same cases."""

import os
import subprocess
import sys
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfl.crypto import _reference, kernel
from vfl.crypto.kernel import from_ints, to_bytes, to_ints

try:
    from vfl.crypto import _native
except ImportError:
    _native = None

PATHS = ["reference", "portable", "ifma"]

# Squares of odd numbers, as every modulus on Paillier's hot paths: p^2 and n^2 of test, 2048-bit and
# 3072-bit keys. One is as large as its width allows, one as small.
ROOTS = {bits: 2**bits - 2 ** (bits // 2) + 1 for bits in (128, 256, 1024, 1536, 2048, 3072)}
SQUARES = {2 * bits: root**2 for bits, root in ROOTS.items()} | {
    511: (2**255 + 2**65 + 7) ** 2,
    4095: (2**2047 + 12345) ** 2,
    1000: (2**500 - 863) ** 2,
}
OTHERS = {2: 3, 64: 2**64 - 59, 65: 2**64 + 13, 2048: 2**2048 - 1942289, 6144: 2**6144 - 1}


def make(path, modulus):
    """A modulus and its module, or a skip with the reason."""
    if path == "reference":
        return _reference.Modulus(to_bytes(modulus)), _reference
    if _native is None:
        pytest.skip("the native kernel is not built here")
    if path == "ifma" and not _native.has_ifma():
        pytest.skip("this CPU has no AVX-512 IFMA")
    return _native.Modulus(to_bytes(modulus), path=path), _native


def numbers_below(modulus):
    """Mostly the edges, where carries and final subtractions go wrong."""
    root = int(modulus**0.5) if modulus < 2**1000 else 1 << modulus.bit_length() // 2
    edges = [0, 1, 2, modulus - 1, modulus - 2, modulus // 2, root % modulus, (root - 1) % modulus]
    return st.one_of(st.sampled_from(edges), st.integers(0, modulus - 1))


def rows_below(modulus):
    return st.lists(numbers_below(modulus), min_size=1, max_size=17)


def residues_of(m, numbers):
    return m.to_residues(from_ints(numbers, m.limbs))


def plain(m, residues):
    return to_ints(m.from_residues(residues))


CASES = pytest.mark.parametrize("modulus", [*SQUARES.values(), *OTHERS.values()], ids=int.bit_length)
SQUARE_CASES = pytest.mark.parametrize("modulus", SQUARES.values(), ids=int.bit_length)
ON_EVERY_PATH = pytest.mark.parametrize("path", PATHS)
few = settings(max_examples=12, deadline=None, database=None)


def supported(path, modulus):
    if path == "ifma" and modulus in OTHERS.values():
        pytest.skip("the IFMA path is for squares")
    return make(path, modulus)


@CASES
@ON_EVERY_PATH
def test_residues_come_back(path, modulus):
    """A number survives the way into residue form and back, in any number of rows."""
    m, _ = supported(path, modulus)

    @few
    @given(rows_below(modulus))
    def check(numbers):
        assert plain(m, residues_of(m, numbers)) == numbers

    check()


@CASES
@ON_EVERY_PATH
def test_multiply_is_a_product_mod_m(path, modulus):
    """Row by row, and with one row for all, at the edges and in partly filled lanes."""
    m, _ = supported(path, modulus)

    @few
    @given(st.lists(st.tuples(numbers_below(modulus), numbers_below(modulus)), min_size=1, max_size=17))
    def check(pairs):
        a, b = zip(*pairs, strict=True)
        x, y = residues_of(m, a), residues_of(m, b)
        assert plain(m, m.multiply(x, y)) == [p * q % modulus for p, q in pairs]
        assert plain(m, m.multiply(x, y[:1])) == [p * b[0] % modulus for p in a]

    check()


@SQUARE_CASES
@ON_EVERY_PATH
def test_long_chains_stay_in_range(path, modulus):
    """Results of results of results are right, also where every operand is as large as it can be."""
    m, _ = make(path, modulus)
    numbers = [modulus - 1, modulus - 2, modulus // 2, 3]
    x = y = residues_of(m, numbers)
    expected = numbers
    for _ in range(20):
        y = m.multiply(m.multiply(y, y), x)
        expected = [e * e * p % modulus for e, p in zip(expected, numbers, strict=True)]
    assert plain(m, y) == expected


@CASES
@ON_EVERY_PATH
def test_power_and_fixed_base_agree_with_pow(path, modulus):
    """Shared exponents, per-row exponents, exponents 0 and 1, and every window width."""
    m, module = supported(path, modulus)

    @settings(max_examples=4, deadline=None, database=None)
    @given(rows_below(modulus), st.integers(0, 2**130), st.integers(1, 9))
    def check(numbers, exponent, window):
        x = residues_of(m, numbers)
        assert plain(m, m.power(x, to_bytes(exponent))) == [pow(a, exponent, modulus) for a in numbers]
        fixed = module.FixedBase(m, to_bytes(numbers[0]), 131, window)
        exponents = [0, 1, exponent, 2**131 - 1]
        got = plain(m, fixed.power(from_ints(exponents, 3)))
        assert got == [pow(numbers[0], e, modulus) for e in exponents]

    check()


@ON_EVERY_PATH
def test_fixed_base_refuses_longer_exponents(path):
    """An exponent with bits that the table does not cover is an error, not a wrong power."""
    m, module = make(path, SQUARES[512])
    with pytest.raises(ValueError, match="exponent"):
        module.FixedBase(m, b"\x05", 70).power(from_ints([2**70], 2))


GROUPINGS = {
    "no rows": (1, 0, 3),
    "one group": (40, 40, 1),
    "a group a row": (40, 40, 40),
    "many empty groups": (5, 12, 60),
    "many rows": (60, 1500, 37),
    "few large groups": (60, 1500, 3),
}


@SQUARE_CASES
@pytest.mark.parametrize("grouping", GROUPINGS)
@ON_EVERY_PATH
def test_sum_by_group_multiplies_each_group(path, grouping, modulus):
    """Every group is the product of exactly its rows, whatever the sizes; an empty group is 1."""
    n, m_rows, n_groups = GROUPINGS[grouping]
    m, _ = make(path, modulus)
    rng = np.random.default_rng(n_groups + modulus.bit_length())
    numbers = [int.from_bytes(rng.bytes(m.limbs * 8), "little") % modulus for _ in range(n)]
    rows = rng.integers(0, n, m_rows)
    # squaring makes group sizes uneven: group 0 is the largest
    groups = (rng.random(m_rows) ** 2 * n_groups).astype(np.int32)
    if grouping == "a group a row":
        groups = rng.permutation(n_groups).astype(np.int32)
    expected = [1] * n_groups
    for row, group in zip(rows, groups, strict=True):
        expected[group] = expected[group] * numbers[row] % modulus
    assert plain(m, m.sum_by_group(residues_of(m, numbers), rows, groups, n_groups)) == expected


@ON_EVERY_PATH
def test_sum_by_group_on_random_shapes(path):
    """Any sizes of groups, also ones that a cut between lanes goes through at every place."""
    modulus = SQUARES[256]
    m, _ = make(path, modulus)
    numbers = [pow(7, i, modulus) for i in range(50)]
    residues = residues_of(m, numbers)

    @settings(max_examples=60, deadline=None, database=None)
    @given(st.lists(st.integers(0, 70), max_size=25), st.randoms(use_true_random=False))
    def check(sizes, random):
        groups = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        random.shuffle(groups)
        rows = np.array([random.randrange(50) for _ in groups], dtype=np.int64)
        members = [rows[groups == g].tolist() for g in range(len(sizes))]
        expected = [prod(numbers[row] for row in group) % modulus for group in members]
        assert plain(m, m.sum_by_group(residues, rows, groups, len(sizes))) == expected

    check()


@ON_EVERY_PATH
def test_sum_by_group_refuses_indices_out_of_bounds(path):
    """No index reads or writes outside the arrays."""
    m, _ = make(path, SQUARES[512])
    x = residues_of(m, [1, 2, 3])
    for rows, groups in ([[3], [0]], [[-1], [0]], [[0], [2]], [[0], [-1]], [[0, 1], [0]]):
        with pytest.raises(ValueError, match="rows and groups"):
            m.sum_by_group(x, np.array(rows, dtype=np.int64), np.array(groups, dtype=np.int32), 2)


@ON_EVERY_PATH
def test_wrong_shapes_types_and_values_are_refused(path):
    """A row of another width, another dtype or a value not below the modulus raises."""
    modulus = SQUARES[512]
    m, module = make(path, modulus)
    x = residues_of(m, [1, 2, 3])
    with pytest.raises(ValueError, match="below the modulus"):
        m.to_residues(from_ints([modulus], m.limbs))
    with pytest.raises(ValueError, match="row"):
        m.multiply(x, x[:2])
    with pytest.raises(ValueError, match="row"):
        m.from_residues(x[:, :-1].copy())
    with pytest.raises(TypeError):
        m.multiply(x.astype(np.float64), x)
    for bad in (b"", b"\x01", b"\x08", to_bytes(2**6145 + 1)):
        with pytest.raises(ValueError, match="modulus"):
            module.Modulus(bad)


@ON_EVERY_PATH
def test_slices_and_parts_of_messages_are_taken(path):
    """Rows that are strided, read-only, or begin at an odd byte of a message mean what they show."""
    m, _ = make(path, SQUARES[512])
    numbers = [5, 6, 7, 8]
    rows = from_ints(numbers, m.limbs)
    at_odd_byte = np.frombuffer(b"?" + rows.tobytes(), dtype="<u8", offset=1).reshape(rows.shape)
    assert plain(m, m.to_residues(at_odd_byte)) == numbers
    assert plain(m, m.to_residues(np.repeat(rows, 2, axis=1)[:, ::2])) == numbers
    residues = m.to_residues(rows)
    indices = np.arange(8, dtype=np.int64)[::2] // 2
    assert plain(m, m.sum_by_group(residues[::-1], indices, np.zeros(4, dtype=np.int32), 1)) == [
        5 * 6 * 7 * 8
    ]


@SQUARE_CASES
@ON_EVERY_PATH
def test_product_of_all_rows(path, modulus):
    """The product of n rows, and of none."""
    m, _ = make(path, modulus)
    numbers = [modulus - 1 - i for i in range(21)]
    assert plain(m, m.product(residues_of(m, numbers))) == [prod(numbers) % modulus]
    assert plain(m, m.product(np.zeros((0, m.limbs), dtype=np.uint64))) == [1]


@SQUARE_CASES
@ON_EVERY_PATH
def test_pack_shifts_and_multiplies(path, modulus):
    """Slot k is raised to 2^(shift k); the last row may have fewer slots, and there may be no rows."""
    m, _ = make(path, modulus)
    for n, slots, shift in [(1, 1, 5), (7, 3, 9), (50, 4, 2), (9, 9, 0), (3, 8, 6), (0, 3, 4)]:
        numbers = [3 + i for i in range(n)]
        expected = [
            prod(pow(v, 2 ** (shift * k), modulus) for k, v in enumerate(numbers[j : j + slots])) % modulus
            for j in range(0, n, slots)
        ]
        residues = m.to_residues(from_ints(numbers, m.limbs))
        assert plain(m, m.pack(residues, slots, shift)) == expected


@CASES
@ON_EVERY_PATH
def test_reduce_takes_any_width(path, modulus):
    """Numbers narrower and wider than the modulus reduce to what Python's % says."""
    m, _ = supported(path, modulus)
    for width in (1, m.limbs, m.limbs + 1, 2 * m.limbs, 3 * m.limbs + 1):
        numbers = [0, 1, 2 ** (64 * width) - 1, modulus % 2 ** (64 * width)]
        assert to_ints(m.reduce(from_ints(numbers, width))) == [v % modulus for v in numbers]


@pytest.mark.parametrize("path", ["reference", "portable"])
def test_combine_and_divide_exact(path):
    """The Chinese remainder's last step and the exact division agree with Python, and refuse misuse."""
    _, module = make(path, 9)
    x, y = 2**256 - 189, 2**192 - 237

    @few
    @given(st.lists(st.tuples(numbers_below(y), numbers_below(x)), min_size=1, max_size=9))
    def check(pairs):
        a, b = from_ints([p for p, _ in pairs], 3), from_ints([q for _, q in pairs], 4)
        got = module.combine(a, to_bytes(x), b, to_bytes(y), to_bytes(x * y))
        assert to_ints(got) == [(p * x + q * y) % (x * y) for p, q in pairs]
        multiples = from_ints([p * x for p, _ in pairs], 7)
        assert to_ints(module.divide_exact(multiples, to_bytes(x))) == [p for p, _ in pairs]

    check()
    with pytest.raises(ValueError, match="twice the modulus"):
        module.combine(from_ints([y + 1], 4), to_bytes(x), from_ints([x], 4), to_bytes(y), to_bytes(x * y))
    with pytest.raises(ValueError, match="multiple"):
        module.divide_exact(from_ints([x + 1], 5), to_bytes(x))
    with pytest.raises(ValueError, match="multiple"):  # a multiple mod 2^64, but not a multiple
        module.divide_exact(from_ints([5 + 2**256], 5), to_bytes(5))


@pytest.mark.parametrize("path", ["portable", "ifma"])
def test_results_do_not_depend_on_threads(path):
    """One thread and three give the same bytes."""
    m, module = make(path, SQUARES[4096])
    rng = np.random.default_rng(1)
    residues = residues_of(m, [pow(5, i, SQUARES[4096]) for i in range(300)])
    rows, groups = rng.integers(0, 300, 2000), rng.integers(0, 11, 2000).astype(np.int32)
    results = []
    for threads in (1, 3):
        module.set_threads(threads)
        sums = m.sum_by_group(residues, rows, groups, 11)
        results.append((sums.tobytes(), m.pack(residues, 7, 30).tobytes()))
    module.set_threads(os.cpu_count() or 1)
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("variable", "value", "names"),
    [
        ("VFL_PURE_PYTHON", "1", {"reference"}),
        ("VFL_KERNEL", "portable", {"native-portable", "reference"}),
        ("VFL_KERNEL", "", {"native-ifma", "native-portable", "reference"}),
    ],
)
def test_the_environment_chooses_the_kernel(variable, value, names):
    """VFL_PURE_PYTHON=1 runs the reference; VFL_KERNEL=portable keeps the native kernel off AVX-512."""
    code = "from vfl.crypto import kernel; print(kernel.kernel_name())"
    environment = {k: v for k, v in os.environ.items() if k not in {"VFL_PURE_PYTHON", "VFL_KERNEL"}}
    command, environment = [sys.executable, "-c", code], environment | {variable: value}
    assert subprocess.check_output(command, env=environment, text=True).strip() in names


def test_integers_and_rows_convert_both_ways():
    """Signed and unsigned, and a number that does not fit raises."""
    assert to_ints(from_ints([0, 2**128 - 1], 2)) == [0, 2**128 - 1]
    assert to_ints(from_ints([-(2**127), -1, 5], 2, signed=True), signed=True) == [-(2**127), -1, 5]
    with pytest.raises(OverflowError):
        kernel.from_ints([2**128], 2)
