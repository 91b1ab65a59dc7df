"""Federated binning over real bytes and a real key, judged by the pooled table and by optbinning."""

from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pandas as pd
import pytest

from vfl.aggregation.table import LabelTable
from vfl.algorithms.scorecard import messages as m
from vfl.algorithms.scorecard.label_party import fit_binning
from vfl.algorithms.scorecard.params import BinningParams
from vfl.errors import DataError, PeerError, PeerRefused
from vfl.jobs import PROTOCOL
from vfl.linear_model.evidence import bins_of, unknown_columns, woe_columns
from vfl.wire.codec import encode
from vfl.wire.message import Column

ROWS = 900
DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def population(parties=1, known=0.8, missing=0.08, seed=0):
    """Label columns, feature columns by party (other customers too) and labels, by customer."""
    rng = np.random.default_rng(seed)
    customers = [f"C{i:05d}" for i in range(ROWS)]
    label = pd.DataFrame(rng.normal(size=(ROWS, 2)), index=customers, columns=["age", "balance"])
    risk, frames = label["age"].to_numpy() * 0.8, {}
    for number in range(parties):
        values = rng.normal(size=(ROWS, 4))
        values[:, 2] = rng.integers(0, 4, ROWS)
        values[:, 3] = values[:, 0] + rng.normal(size=ROWS) * 0.1
        risk = risk + values[:, 0] + np.abs(values[:, 1])
        values[rng.random(values.shape) < missing] = np.nan
        frame = pd.DataFrame(values, index=customers, columns=["a", "b", "kind", "echo"])
        strangers = pd.DataFrame(rng.normal(size=(20, 4)), columns=frame.columns)
        strangers.index = [f"X{i:04d}" for i in range(20)]
        frames[["telco", "bureau"][number]] = pd.concat([frame[rng.random(ROWS) < known], strangers])
    y = (risk + rng.logistic(size=ROWS) > 1.5 + 0.5 * parties).astype(np.float32)
    label[rng.random(label.shape) < missing] = np.nan
    return label, frames, y


def binned(group, y, private_key, params=None, weights=None, **options):
    columns = group.label.to_numpy(np.float32)
    table = LabelTable(list(group.label.index), list(group.label.columns), columns, y, weights)
    return fit_binning(
        group.sessions(), group.alignments, table, params or BinningParams(), private_key, binning_id="b",
        **options,
    )  # fmt: skip


def pooled_table(group, y, table, cuts, fit=None, weights=None):
    """Rows, events, WOE and IV of each line by plain counting on the pooled column, and the lines' kinds."""
    weights = np.ones(len(y)) if weights is None else weights.astype(float)
    fit = np.ones(len(y), dtype=bool) if fit is None else fit
    frame = group.parties[table.owner].frame if table.owner else group.label
    column = frame.iloc[:, table.column].reindex(group.label.index).to_numpy(np.float32)
    known = group.label.index.isin(frame.index)
    line = np.where(np.isnan(column), len(cuts) + 1, bins_of(column, np.array(cuts, np.float32)))
    line[~known] = len(cuts) + 2
    E, N = (weights * y)[fit].sum(), (weights * (1 - y))[fit].sum()
    found = []
    for number in range(len(cuts) + 3):
        here = fit & (line == number)
        if here.any():
            e, n = (weights * y)[here].sum(), (weights * (1 - y))[here].sum()
            woe = np.log((n / N) / (e / E))
            found.append((n + e, e, woe, (n / N - e / E) * woe))
    return np.array(found)


def kept_columns(group, result, owner):
    binning = group.parties[owner].binnings["b"] if owner else result.own
    return {of.column: of for of in binning.coded}


def assert_as_pooled(group, result, y, **given):
    compared = 0
    for table in result.tables:
        coded = kept_columns(group, result, table.owner).get(table.column)
        assert table.selected == (coded is not None)
        if coded is None:
            continue
        judge = pooled_table(group, y, table, coded.cuts, **given)
        ours = np.array([(line.rows, line.events, line.woe, line.iv) for line in table.bins])
        assert ours == pytest.approx(judge, rel=1e-9, abs=1e-12)
        assert coded.woe == [line.woe for line in table.bins if line.kind == "values"]
        compared += 1
    return compared


@pytest.mark.parametrize("merging", ["optimal", "chi_merge", "none"])
@pytest.mark.parametrize("prebinning", ["quantile", "width"])
def test_tables_are_those_of_the_pooled_columns(consortium, private_key, merging, prebinning):
    """Counts, WOE and IV of every line, missing and unknown rows included, equal plain counting."""
    label, frames, y = population()
    group = consortium(label, frames, min_rows=10)
    params = BinningParams(merging=merging, prebinning=prebinning, max_prebins=12)
    result = binned(group, y, private_key, params)
    assert assert_as_pooled(group, result, y) >= 4
    kinds = {line.kind for table in result.tables if table.owner for line in table.bins}
    assert kinds == {"values", "missing", "unknown"}


def test_two_feature_parties_weights_and_rows_left_out(consortium, private_key):
    """Weighted counts of the fit rows alone, each party with its own unknown customers."""
    label, frames, y = population(parties=2)
    group = consortium(label, frames, min_rows=10)
    rng = np.random.default_rng(1)
    weights = (rng.integers(1, 2**12, ROWS) / 2**10).astype(np.float32)
    fit = rng.random(ROWS) < 0.85
    result = binned(group, y, private_key, weights=weights, fit=fit)
    assert assert_as_pooled(group, result, y, fit=fit, weights=weights) >= 6
    for peer, frame in frames.items():
        unknown = fit & ~label.index.isin(frame.index)
        e, n = (weights * y)[unknown].sum(), (weights * (1 - y))[unknown].sum()
        E, N = (weights * y)[fit].sum(), (weights * (1 - y))[fit].sum()
        assert result.unknown[peer] == pytest.approx(np.log((n / N) / (e / E)))


@pytest.mark.parametrize("prebinning", ["quantile", "width"])
@pytest.mark.parametrize("monotone", [None, "ascending"])
def test_bins_are_optbinnings_from_the_raw_column(consortium, private_key, prebinning, monotone):
    """From raw values on, the bins, WOE and IV of a feature party are optbinning's on the pooled column.

    Of four whole numbers optbinning's quantiles never part the two largest; there the bins here are better.
    """
    optbinning = pytest.importorskip("optbinning", reason="optbinning, the outside judge, is not installed")
    label, frames, y = population(known=1.0, missing=0.0)
    group = consortium(label, frames)
    params = BinningParams(
        prebinning=prebinning, max_prebins=15, max_bins=6, min_fraction=0.05, min_events=1, monotone=monotone,
        min_iv=0.0,
    )  # fmt: skip
    result = binned(group, y, private_key, params)
    coded = kept_columns(group, result, "telco")
    assert len(coded) == 4
    for column, name in enumerate(["a", "b", "kind", "echo"]):
        x = group.pooled()[f"telco.{name}"].to_numpy(np.float32).astype(float)
        judge = optbinning.OptimalBinning(
            prebinning_method="uniform" if prebinning == "width" else "quantile", max_n_prebins=15,
            min_prebin_size=1e-6, max_n_bins=6, min_bin_size=0.05, monotonic_trend=monotone,
            min_bin_n_event=1, min_bin_n_nonevent=1,
        ).fit(x, y.astype(int))  # fmt: skip
        theirs = judge.binning_table.build()
        table = next(of for of in result.tables if (of.owner, of.column) == ("telco", column))
        bins = bins_of(x.astype(np.float32), np.array(coded[column].cuts, np.float32))
        if name == "kind" and prebinning == "quantile":
            assert table.iv > theirs["IV"]["Totals"]
            continue
        assert np.array_equal(bins, np.searchsorted(judge.splits, x, side="right"))
        assert table.iv == pytest.approx(theirs["IV"]["Totals"], abs=1e-9)
        woe = theirs["WoE"].to_numpy()[: len(coded[column].woe)].astype(float)
        assert coded[column].woe == pytest.approx(woe)


def test_real_columns_hold_as_much_information_as_optbinnings(consortium, private_key):
    """On credit-default columns, heavy with ties, no bins of optbinning under the same limits hold more."""
    if not (DATA / "w1_bank.parquet").exists():
        pytest.skip("the credit-default data is not in ../shared/data")
    optbinning = pytest.importorskip("optbinning", reason="optbinning, the outside judge, is not installed")
    bank, partner = (
        pd.read_parquet(DATA / f"w1_{name}.parquet").sort_values("id").iloc[:5000].set_index("id")
        for name in ("bank", "partner")
    )
    bank.index, partner.index = bank.index.astype(str), partner.index.astype(str)
    y = bank.pop("y").to_numpy(np.float32)
    group = consortium(bank, {"telco": partner})
    result = binned(group, y, private_key, BinningParams(min_iv=0.0))
    tables = [table for table in result.tables if table.owner]
    assert len(tables) == 10
    for table in tables:
        x = partner.iloc[:, table.column].to_numpy(np.float32).astype(float)
        judge = optbinning.OptimalBinning(
            prebinning_method="quantile", max_n_prebins=20, min_prebin_size=1e-6, max_n_bins=10,
            min_bin_size=0.05, min_bin_n_event=1, min_bin_n_nonevent=1, monotonic_trend=None,
        ).fit(x, y.astype(int))  # fmt: skip
        assert table.iv >= judge.binning_table.build()["IV"]["Totals"] - 1e-9


def test_columns_are_coded_alike_at_both_ends(consortium, private_key):
    """Coding gives each row its line's WOE: missing ones theirs, and unknown customers one of their own."""
    label, frames, y = population()
    group = consortium(label, frames, min_rows=10)
    result = binned(group, y, private_key)
    frame = frames["telco"]
    binning = group.parties["telco"].binnings["b"]
    coded = woe_columns(binning, frame.to_numpy(np.float32))
    for position, of in enumerate(binning.coded):
        table = next(t for t in result.tables if (t.owner, t.column) == ("telco", of.column))
        missing = next(line.woe for line in table.bins if line.kind == "missing")
        absent = frame.iloc[:, of.column].isna().to_numpy()
        assert set(coded[absent, position]) == {missing}
        assert set(coded[~absent, position]) <= {line.woe for line in table.bins if line.kind == "values"}
    known = label.index.isin(frame.index)
    unknown = unknown_columns(result.unknown, {"telco": known})
    line = next(line for line in table.bins if line.kind == "unknown")
    assert np.array_equal(unknown[:, 0], np.where(known, 0.0, line.woe))


def test_selection_keeps_the_better_of_two_alike(consortium, private_key):
    """A column that repeats a better one of its party goes, and so does one without information value."""
    label, frames, y = population()
    frames["telco"]["noise"] = np.random.default_rng(9).normal(size=len(frames["telco"]))
    group = consortium(label, frames, min_rows=10)
    result = binned(group, y, private_key, BinningParams(max_correlation=0.7, min_iv=0.15, max_bins=4))
    tables = {of.name: of for of in result.tables if of.owner == "telco"}
    assert tables["a"].selected != tables["echo"].selected
    assert max((tables["a"], tables["echo"]), key=lambda of: of.iv).selected
    assert not tables["noise"].selected
    assert tables["noise"].iv < 0.15
    assert set(group.parties["telco"].binnings["b"].names) == {n for n, of in tables.items() if of.selected}


def test_no_sum_covers_fewer_rows_than_the_owner_allows(consortium, private_key):
    """Counts that reach the label party cover the owner's minimum, missing values by subtraction included."""
    label, frames, y = population(missing=0.02)
    params = BinningParams(merging="none", min_fraction=0.0, min_events=0.0, max_prebins=50, min_iv=0.0)
    for least in (40, 150):
        group = consortium(label, frames, min_rows=least)
        result = binned(group, y, private_key, params)
        lines = [line for of in result.tables if of.owner for line in of.bins if line.kind != "unknown"]
        assert min(line.rows for line in lines) >= least
        assert len(lines) > 8


def test_missing_values_too_few_for_a_bin_join_the_fullest(consortium, private_key):
    """They are counted there and coded so, and no line of their own shows how many there are."""
    label, frames, y = population(missing=0.0)
    frames["telco"].iloc[:3, 0] = np.nan
    group = consortium(label, frames, min_rows=30)
    result = binned(group, y, private_key, BinningParams(merging="none", min_iv=0.0))
    table = next(of for of in result.tables if of.name == "a")
    coded = kept_columns(group, result, "telco")[table.column]
    assert [line.kind for line in table.bins if line.kind != "unknown"] == ["values"] * len(coded.woe)
    assert coded.missing in coded.woe
    known = frames["telco"].index.isin(label.index).sum()
    assert sum(line.rows for line in table.bins if line.kind == "values") == known


def test_too_few_rows_are_refused(consortium, private_key):
    """A feature party counts nothing on fewer rows than its minimum."""
    label, frames, y = population()
    group = consortium(label, frames, min_rows=50)
    fit = label.index.isin(frames["telco"].index[:40]) | ~label.index.isin(frames["telco"].index)
    with pytest.raises(PeerRefused, match="40 rows are fewer than the 50"):
        binned(group, y, private_key, fit=fit)


def test_labels_that_cannot_be_binned_are_refused(consortium, private_key):
    """Labels other than 0 and 1, or of one kind only, raise DataError before any party is asked."""
    label, frames, y = population()
    group = consortium(label, frames)
    for labels in (np.zeros_like(y), np.ones_like(y), y * 2):
        with pytest.raises(DataError):
            binned(group, labels, private_key)
    for options in ({"weights": np.zeros_like(y)}, {"weights": 1 - y}, {"fit": y == 0}, {"fit": y > 1}):
        with pytest.raises(DataError, match="both labels"):
            binned(group, y, private_key, **options)
    assert not group.parties["telco"].frames_seen


def test_a_party_is_told_weights_of_evidence_and_nothing_of_unknown_customers(consortium, private_key):
    """Exchanging the labels of customers a party does not know, one for one, changes nothing it is told."""
    label, frames, y = population(known=0.6)
    known = label.index.isin(frames["telco"].index)
    other = y.copy()
    other[~known] = np.random.default_rng(3).permutation(y[~known])
    assert not np.array_equal(y, other)
    told = []
    for labels in (y, other):
        group = consortium(label, frames, min_rows=10)
        binned(group, labels, private_key)
        seen = [PROTOCOL.decode_request(frame).body for frame in group.parties["telco"].frames_seen]
        told.append([body for body in seen if isinstance(body, (m.OpenBinning, m.FixBinning))])
    assert told[0] == told[1]
    assert len(told[0]) == 2


@pytest.fixture
def spoiled(consortium, private_key):
    """Bin with a feature party whose replies of one kind are changed on their way."""

    def run(kind, change):
        label, frames, y = population(parties=1)
        group = consortium(label, frames, min_rows=10)
        exchange = group.channel.exchange

        def spoiling(peer, frame):
            envelope = PROTOCOL.decode_reply(exchange(peer, frame))
            if isinstance(envelope.body, kind):
                envelope = msgspec.structs.replace(envelope, body=change(envelope.body))
            return encode(envelope)

        group.channel.exchange = spoiling
        return binned(group, y, private_key)

    return run


SPOILED = SimpleNamespace(
    short=(m.BinsSummed, lambda body: m.BinsSummed(body.ciphertexts[:-8])),
    none=(m.BinsSummed, lambda body: m.BinsSummed(b"")),
    zero=(m.BinsSummed, lambda body: m.BinsSummed(bytes(len(body.ciphertexts)))),
    large=(m.BinsSummed, lambda body: m.BinsSummed(b"\xff" * len(body.ciphertexts))),
    random=(m.BinsSummed, lambda body: m.BinsSummed(b"\x15" * len(body.ciphertexts))),
    fewer=(m.BinningOpened, lambda body: m.BinningOpened(body.columns[:1])),
    bins=(m.BinningOpened, lambda body: m.BinningOpened([Column("", 0)] * 4)),
    many=(m.BinningOpened, lambda body: m.BinningOpened([Column("", 60_000)] * 4)),
    stranger=(m.BinningFixed, lambda body: m.BinningFixed([99])),
    twice=(m.BinningFixed, lambda body: m.BinningFixed(body.selected[:1] * 2)),
)


def test_an_honest_feature_party_is_believed(spoiled):
    """The same exchange passes where replies are left as they are."""
    assert spoiled(m.BinsSummed, lambda body: body).tables


@pytest.mark.parametrize("what", vars(SPOILED))
def test_a_lying_feature_party_is_caught(spoiled, what):
    """Replies that cannot be sums of this job's rows, or name columns not offered, raise PeerError."""
    with pytest.raises(PeerError):
        spoiled(*getattr(SPOILED, what))


def test_sums_that_are_no_counts_of_these_rows_are_caught(spoiled, private_key):
    """Sums twice too large fit their slots, but not the rows that the label party knows it sent."""
    modulus = private_key.public_key.modulus

    def doubled(body):
        residues = modulus.to_residues(np.frombuffer(body.ciphertexts, "<u8").reshape(-1, modulus.limbs))
        return m.BinsSummed(modulus.from_residues(modulus.multiply(residues, residues)).tobytes())

    with pytest.raises(PeerError, match="no counts of the rows"):
        spoiled(m.BinsSummed, doubled)


def test_one_ciphertext_for_each_counted_row_and_no_name(consortium, private_key):
    """Each fit row that the party knows costs one ciphertext; no name of a customer or column is spoken."""
    label, frames, y = population(known=0.5)
    label = label.rename(columns=lambda name: f"bank_{name}")
    frames["telco"] = frames["telco"].rename(columns=lambda name: f"telco_{name}")
    group = consortium(label, frames, show_columns=False, min_rows=10)
    exchange, spoken = group.channel.exchange, []

    def tap(peer, frame):
        spoken.append(frame)
        spoken.append(exchange(peer, frame))
        return spoken[-1]

    group.channel.exchange = tap
    fit = np.arange(ROWS) % 3 > 0
    result = binned(group, y, private_key, fit=fit)
    assert {of.name for of in result.tables if of.owner} == {""}
    bodies = [PROTOCOL.decode_request(frame).body for frame in group.parties["telco"].frames_seen]
    sent = sum(len(body.ciphertexts) for body in bodies if isinstance(body, m.LabelCounts))
    assert sent == 512 * (fit & label.index.isin(frames["telco"].index)).sum()
    assert next(body.packed_rows for body in bodies if isinstance(body, m.OpenBinning)) == 1024
    names = [*label.index, *label.columns, *frames["telco"].columns]
    assert not [name for name in names if name.encode() in b"".join(spoken)]


def test_columns_without_information_are_not_told(consortium, private_key):
    """A feature party hears of the bins of selected columns alone, the one with most information first."""
    label, frames, y = population()
    group = consortium(label, frames, min_rows=10)
    result = binned(group, y, private_key, BinningParams(min_iv=0.3, max_bins=4))
    bodies = [PROTOCOL.decode_request(frame).body for frame in group.parties["telco"].frames_seen]
    told = [bins.column for body in bodies if isinstance(body, m.FixBinning) for bins in body.columns]
    values = {of.column: of.iv for of in result.tables if of.owner and of.iv >= 0.3}
    assert told == sorted(values, key=lambda column: -values[column])
    assert 0 < len(told) < 4
