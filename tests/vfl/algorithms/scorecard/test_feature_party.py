"""A feature party refuses what no honest label party sends, and counts what an honest one does."""

import numpy as np
import pandas as pd
import pytest

from vfl.aggregation.journal import MAX_ATTEMPTS
from vfl.algorithms.scorecard import messages as m
from vfl.crypto.kernel import from_ints
from vfl.crypto.packing import GradientPacking
from vfl.crypto.paillier import Decryptor, Encryptor
from vfl.errors import PeerRefused

ROWS, LIMBS = 40, 64


@pytest.fixture
def group(consortium):
    """Forty customers of a telco whose one column is missing for four of them."""
    rng = np.random.default_rng(0)
    customers = [f"C{i}" for i in range(ROWS)]
    frame = pd.DataFrame(rng.normal(size=(ROWS, 2)), index=customers, columns=["a", "b"])
    frame.iloc[:4, 0] = np.nan
    return consortium(pd.DataFrame({"x": np.zeros(ROWS)}, index=customers), {"telco": frame}, min_rows=4)


@pytest.fixture
def opening(group, private_key):
    """Return an opening with fields changed."""

    def make(**changed):
        alignment = group.alignments["telco"]
        fields = {
            "binning": "b",
            "alignment": alignment.id,
            "fingerprint": alignment.fingerprint,
            "fit_rows": b"\xff" * (ROWS // 8),
            "public_key": private_key.public_key.to_bytes(),
            "fraction_bits": 0,
            "packed_rows": 64,
            "max_weight": 1.0,
            "prebinning": "quantile",
            "max_prebins": 5,
        }
        return m.OpenBinning(**(fields | changed))

    return make


@pytest.fixture
def ciphertexts(private_key):
    """A ciphertext of one row with label 1 for each fit row, as bytes."""
    plain = GradientPacking(0, 64, 1.0, 1.0).pack(*np.ones((2, ROWS), dtype=np.int64))
    return Encryptor(private_key).encrypt(plain).tobytes()


def session_of(group):
    return group.sessions()["telco"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"fit_rows": b"\xff" * 4}, "malformed"),
        ({"fit_rows": b"\x07" + bytes(4)}, "not_allowed"),
        ({"fit_rows": bytes(5)}, "not_allowed"),
        ({"fingerprint": bytes(32)}, "not_aligned"),
        ({"alignment": "other"}, "state"),
        ({"packed_rows": 32}, "out_of_range"),
        ({"packed_rows": 2**31, "fraction_bits": 40}, "out_of_range"),
        ({"max_weight": 0.0}, "out_of_range"),
        ({"max_weight": float("nan")}, "malformed"),
        ({"max_prebins": 201}, "malformed"),
        ({"prebinning": "labels"}, "malformed"),
        ({"fraction_bits": -1}, "malformed"),
    ],
)
def test_a_job_that_cannot_be_is_refused_when_it_opens(group, opening, changed, code):
    """Rows, key and bounds are checked before a ciphertext is taken."""
    with pytest.raises(PeerRefused) as refused:
        session_of(group).ask(opening(**changed), m.BinningOpened)
    assert refused.value.peer_code == code


@pytest.mark.parametrize("key", [b"\x01", b"\x00" * 256, b"\xff" * 100])
def test_a_key_that_protects_nothing_is_refused(group, opening, key):
    """A short or malformed public key opens no job."""
    with pytest.raises(PeerRefused):
        session_of(group).ask(opening(public_key=key), m.BinningOpened)


@pytest.mark.parametrize(
    ("offset", "change", "code"),
    [
        (0, lambda data: b"", "malformed"),
        (0, lambda data: data[:-1], "malformed"),
        (1, lambda data: data, "out_of_range"),
        (0, lambda data: data + data[:512], "out_of_range"),
        (0, lambda data: bytes(len(data)), "bad_ciphertext"),
        (0, lambda data: b"\xff" * len(data), "bad_ciphertext"),
    ],
)
def test_ciphertexts_that_cannot_be_are_refused(group, opening, ciphertexts, offset, change, code):
    """Chunks come in order, whole, within the rows of the job and in the range of ciphertexts."""
    session = session_of(group)
    session.ask(opening(), m.BinningOpened)
    with pytest.raises(PeerRefused) as refused:
        session.ask(m.LabelCounts(offset, change(ciphertexts)), m.LabelCountsTaken)
    assert refused.value.peer_code == code


def test_a_factor_of_the_key_is_no_ciphertext(group, opening, ciphertexts, private_key):
    """A number that shares a factor with n is refused."""
    session = session_of(group)
    session.ask(opening(), m.BinningOpened)
    factor = from_ints([private_key.p], LIMBS).tobytes()
    with pytest.raises(PeerRefused) as refused:
        session.ask(m.LabelCounts(0, factor + ciphertexts[512:]), m.LabelCountsTaken)
    assert refused.value.peer_code == "bad_ciphertext"


def test_no_sum_leaves_before_every_row_has_come(group, opening, ciphertexts):
    """Sums of part of the rows would cover fewer than the owner's minimum."""
    session = session_of(group)
    session.ask(opening(), m.BinningOpened)
    session.ask(m.LabelCounts(0, ciphertexts[: 512 * 39]), m.LabelCountsTaken)
    with pytest.raises(PeerRefused, match="39 of 40"):
        session.ask(m.SumBins(), m.BinsSummed)


def summed(group, opening, ciphertexts, chunk=ROWS):
    session = session_of(group)
    session.ask(opening(), m.BinningOpened)
    for start in range(0, ROWS, chunk):
        data = ciphertexts[512 * start : 512 * (start + chunk)]
        assert session.ask(m.LabelCounts(start, data), m.LabelCountsTaken).rows == min(ROWS, start + chunk)
    return session, session.ask(m.SumBins(), m.BinsSummed).ciphertexts


def test_sums_do_not_depend_on_chunks_and_are_fresh(group, opening, ciphertexts, private_key):
    """The same counts whatever the chunks, in ciphertexts that never repeat: they are re-randomised."""
    packing, decrypted, seen = GradientPacking(0, 64, 1.0, 1.0), [], set()
    for chunk in (ROWS, 7, 7):
        _, data = summed(group, opening, ciphertexts, chunk)
        seen.add(data)
        rows = np.frombuffer(data, "<u8").reshape(-1, LIMBS)
        slots = packing.slots_per_ciphertext(ROWS, 2048)
        plain = Decryptor(private_key).decrypt(rows)
        decrypted.append(packing.unpack(plain, slots, packing.slot_bits(ROWS), 10, ROWS))
    assert len(seen) == 3
    for events, rows in decrypted:
        assert np.array_equal(events, rows)  # every row was sent with label 1
        assert rows[:5].sum() == ROWS - 4
        assert rows[5:].sum() == ROWS
        assert np.array_equal(rows, decrypted[0][1])


@pytest.mark.parametrize(
    "bins",
    [
        [m.WoeBins(2, [4], [0.0], 0.0)],
        [m.WoeBins(0, [4], [0.0], 0.0), m.WoeBins(0, [4], [0.0], 0.0)],
        [m.WoeBins(0, [3], [0.0], 0.0)],
        [m.WoeBins(0, [5], [0.0], 0.0)],
        [m.WoeBins(0, [2, 2, 4], [0.0, 0.0, 0.0], 0.0)],
        [m.WoeBins(0, [2, 1, 4], [0.0, 0.0, 0.0], 0.0)],
        [m.WoeBins(0, [2, 4], [0.0], 0.0)],
        [m.WoeBins(0, [4], [float("nan")], 0.0)],
        [m.WoeBins(0, [4], [0.0], float("nan"))],
        [m.WoeBins(0, [4], [float("inf")], 0.0)],
        [m.WoeBins(0, [], [], 0.0)],
    ],
)
def test_bins_that_cannot_be_are_refused_and_nothing_is_kept(group, opening, ciphertexts, bins):
    """Bins must be of this party's pre-bins, each column once, with finite weights of evidence."""
    session, _ = summed(group, opening, ciphertexts)
    with pytest.raises(PeerRefused):
        session.ask(m.FixBinning(bins, None, None), m.BinningFixed)
    assert group.parties["telco"].binnings == {}


def test_a_binning_is_done_again_on_the_same_terms_and_so_often(group, opening, ciphertexts):
    """Other rows or pre-bins would give counts that differ by few rows."""
    session = session_of(group)
    session.ask(opening(max_prebins=4), m.BinningOpened)  # nothing was told: other terms can follow
    for _ in range(MAX_ATTEMPTS):
        _, data = summed(group, opening, ciphertexts)
        assert data
        for changed in ({"fit_rows": b"\xfe" + b"\xff" * 4}, {"max_prebins": 4}):
            with pytest.raises(PeerRefused, match=r"other terms.*bin again under another name"):
                session_of(group).ask(opening(**changed), m.BinningOpened)
    with pytest.raises(PeerRefused, match=r"10 times, the most that is allowed; bin again"):
        session_of(group).ask(opening(), m.BinningOpened)
    session_of(group).ask(opening(binning="other"), m.BinningOpened)


def test_what_is_fixed_is_kept(group, opening, ciphertexts):
    """Cut points of the merged bins and the weights of evidence told are what the party keeps."""
    session, _ = summed(group, opening, ciphertexts)
    told = [m.WoeBins(0, [1, 4], [0.5, -0.5], 0.25), m.WoeBins(1, [0, 4], [1.0, -1.0], 9.0)]
    assert session.ask(m.FixBinning(told, None, None), m.BinningFixed).selected == [0, 1]
    a, b = group.parties["telco"].binnings["b"].coded
    values = group.parties["telco"].frame["a"].to_numpy(np.float32)
    edges = np.quantile(values[~np.isnan(values)].astype(float), [0.4])
    assert a.cuts == pytest.approx(edges)
    assert (a.woe, a.missing) == ([0.5, -0.5], 0.25)
    assert (b.woe, b.missing) == ([1.0, -1.0], 9.0)
