"""Label means between a bank and a bureau over real HTTPS; numpy on the pooled table is the judge.

`test_label_means` runs this module in a process of its own, since it adds an algorithm to the protocol.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from click.testing import CliRunner

from parties.commands.cli import main
from parties.config import Config
from parties.contracts.contract_store import ContractStore
from parties.data.rows import Source
from parties.label.party import LabelParty
from parties.serving.publish import publish
from parties.serving.schemas import Scored, ScoreRecord
from parties.serving.service import Service
from parties.storage import database
from parties.storage.model_store import ModelStore
from parties.storage.peer_store import PeerStore
from tests.plugin.label_means.algorithm import ALGORITHM, LABEL_MEANS
from tests.plugin.label_means.params import LabelMeansParams
from tests.plugin.label_means.parts import LabelMeansFeaturePart, LabelMeansLabelPart
from tests.support import institutions
from vfl import jobs
from vfl.algorithms.registry import ALGORITHMS
from vfl.errors import ParameterError, PeerRefused
from vfl.evaluation.thresholds import Rule

jobs.register(ALGORITHM)

BINS = 4
ROWS = 400
COLUMNS = {"bank": ["age", "debt"], "bureau": ["delays", "limit"]}


class World(NamedTuple):
    """A bank and a bureau that is served; model m1 is trained.

    table: the pooled table by customer, NaN where the bureau does not know the customer.
    trained: what the command printed.
    """

    bank: Config
    bureau: Config
    table: pd.DataFrame
    trained: str


def run(*arguments: object) -> str:
    """Run a command as a user does, and return what it prints."""
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return result.output


def make_table() -> pd.DataFrame:
    """Columns of both parties, one with missing values; the bureau does not know the first 80 customers."""
    rng = np.random.default_rng(3)
    names = [name for columns in COLUMNS.values() for name in columns]
    table = pd.DataFrame(rng.normal(size=(ROWS, 4)).round(2), columns=names)
    table["default"] = (table["age"] + table["delays"] + rng.normal(size=ROWS) > 0.5).astype(int)
    table.loc[rng.random(ROWS) < 0.1, "debt"] = np.nan
    table.loc[: ROWS // 5 - 1, COLUMNS["bureau"]] = np.nan
    table.insert(0, "customer_id", [f"C{n:03d}" for n in range(ROWS)])
    return table


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root, table = tmp_path_factory.mktemp("label_means"), make_table()
    files = {name: root / f"own-{name}.csv" for name in COLUMNS}
    table[["customer_id", *COLUMNS["bank"], "default"]].to_csv(files["bank"], index=False)
    table[ROWS // 5 :][["customer_id", *COLUMNS["bureau"]]].to_csv(files["bureau"], index=False)
    make = institutions.maker(root)
    bank = make("bank", "label", source=str(files["bank"]))
    bureau = make("bureau", "feature", source=str(files["bureau"]))
    limits = {"min_rows": 50, "max_label_bins": 6, "min_label_rows": 60}
    bureau = institutions.allow(bureau, bank, limits=limits, reasons="columns", show_columns=True)
    with pytest.MonkeyPatch.context() as patch, institutions.serving(bureau) as url:
        patch.setenv("VFL_PASSWORD", "test")
        bank = institutions.join(bank, bureau, url)
        run("align", bank.directory)
        options = ["--algorithm", "label_means", "--model", "m1", "--param", f"bins={BINS}"]
        yield World(bank, bureau, table, run("train", bank.directory, *options))


class Judged(NamedTuple):
    """What numpy makes of the pooled table: means by column and bin, and the score of every customer."""

    means: dict[str, list[float]]
    scores: npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def judged(world: World) -> Judged:
    labels = world.table["default"].to_numpy()
    base, names = labels.mean(), [name for columns in COLUMNS.values() for name in columns]
    means, scores = {}, np.full(ROWS, base)
    for name in names:
        values = world.table[name].to_numpy(np.float32)
        known = ~np.isnan(values)
        cuts = np.quantile(values[known], np.arange(1, BINS) / BINS).astype(np.float32)
        bins = np.digitize(values[known], cuts)
        means[name] = [float(labels[known][bins == number].mean()) for number in range(BINS)]
        scores[known] += (np.array(means[name])[bins] - base) / len(names)
    return Judged(means, scores)


def test_it_is_one_of_the_algorithms() -> None:
    """The registry, the protocol and the limits of configurations know it; its name is taken."""
    assert ALGORITHMS.named("label_means") is ALGORITHM
    assert ALGORITHM.job.opening in jobs.PROTOCOL.openings
    assert {"max_label_bins", "min_label_rows"} <= set(jobs.limits())
    with pytest.raises(ValueError, match="label_means"):
        jobs.register(ALGORITHM)


def test_parameters_are_checked() -> None:
    """What is outside its range is refused with what is allowed."""
    with pytest.raises(ParameterError, match=r"bins=1 \(allowed: a whole number 2 to 200\)"):
        LabelMeansParams(bins=1)


def test_the_contract_has_its_own_term(world: World) -> None:
    """Bins are fixed in the contract that both parties signed, and people are shown them."""
    (training,) = (
        kept
        for kept in ContractStore(database.connect(world.bureau)).all()
        if kept.contract.action == "train"
    )
    assert training.contract.algorithm == "label_means"
    assert training.contract.terms == {"label_bins": BINS}
    assert training.digest.hex()[:12] in run("contracts", "list", world.bureau.directory)
    shown = json.loads(run("contracts", "show", world.bureau.directory, training.digest.hex(), "--json"))
    assert (shown["terms"], shown["signed_by"]) == ({"label_bins": BINS}, ["bank", "bureau"])


def test_its_job_is_listed(world: World) -> None:
    """`vfl jobs` shows the training like any other job of the bureau."""
    listed = json.loads(run("jobs", "list", world.bureau.directory, "--peer", "bank", "--json"))
    (training,) = (job for job in listed if (job["kind"], job["subject"]) == ("train", "m1"))
    assert training["state"] == "closed"
    assert "m1" in run("jobs", "show", world.bureau.directory, training["job"])


def test_its_limits_are_kept(world: World) -> None:
    """A contract beyond the bureau's limit is not signed, and bins of few rows are not added up."""
    refusals = {7: r"label_bins=7 asked.*at most 6", 6: r"a bin has fewer than 60 rows"}
    for bins, refusal in refusals.items():
        with LabelParty(world.bank) as party, pytest.raises(PeerRefused, match=refusal):
            party.train(name="m2", params=LabelMeansParams(bins=bins))


def test_training_says_what_was_made(world: World) -> None:
    """The command describes the model, and the record has what is on record of such a model."""
    assert f"model m1: means of {4 * BINS} bins on {ROWS} rows" in world.trained
    record = ModelStore(world.bank).load_record("m1")
    assert (record.algorithm, record.facts["bins"]) == ("label_means", 4 * BINS)


def test_each_party_has_its_part(world: World, judged: Judged) -> None:
    """The bank has the means of all bins; the bureau has cut points, and nothing that hangs on a label."""
    _, own = ModelStore(world.bank).load_model("m1")
    theirs = PeerStore(world.bureau, "bank", Source(world.bureau)).load_part("m1")
    assert isinstance(own, LabelMeansLabelPart)
    assert isinstance(theirs, LabelMeansFeaturePart)
    found = dict(zip(COLUMNS["bank"] + COLUMNS["bureau"], own.means + own.peers[0].means, strict=True))
    assert found == judged.means
    assert theirs.columns == COLUMNS["bureau"]
    assert set(theirs.__struct_fields__) == {"columns", "cuts"}


def test_scores_in_batch_are_numpys(world: World, judged: Judged, tmp_path: Path) -> None:
    """Every customer's score is that of numpy on the pooled table."""
    run("score", world.bank.directory, "m1", "--in", world.bank.data.source, "--out", tmp_path / "s.csv")
    scores = pd.read_csv(tmp_path / "s.csv").set_index("customer_id")["score"]
    found = scores.loc[world.table["customer_id"]].to_numpy()
    np.testing.assert_allclose(found, judged.scores, rtol=1e-6)


def test_it_is_evaluated(world: World) -> None:
    """An evaluation compares the bank alone with both together."""
    assert "together" in run("evaluate", world.bank.directory, "m1")


def test_it_is_published_and_served(world: World, judged: Judged) -> None:
    """A request to the scoring service gets the joint score, with contributions by column."""
    publish(world.bank, "m1", rule=Rule("score", 0.5))
    with Service(world.bank) as service:
        (result,) = service.score("m1", [ScoreRecord({"customer_id": "c123"}, None)], reasons=4).results
    assert isinstance(result, Scored)
    assert (result.mode, result.score) == ("joint", pytest.approx(judged.scores[123], rel=1e-6))
    assert result.reasons is not None
    told = {(reason.party, reason.name): reason.contribution for reason in result.reasons}
    assert set(told) <= {(party, name) for party, names in COLUMNS.items() for name in names}
    base = world.table["default"].mean()
    assert base + sum(told.values()) == pytest.approx(judged.scores[123])


def test_ledgers_hold_and_say_what_it_revealed(world: World, tmp_path: Path) -> None:
    """Both ledgers are whole; each message is there with what it revealed, and the job with its activity."""
    for party in (world.bank, world.bureau):
        assert "whole: nothing was changed" in run("audit", "verify", party.directory)
    contracts = ContractStore(database.connect(world.bureau)).all()
    (digest,) = (kept.digest.hex() for kept in contracts if kept.contract.model == "m1"
                 and kept.contract.action == "train")  # fmt: skip
    shown = json.loads(run("audit", "show", world.bureau.directory, "--contract", digest, "--json"))
    reveals = {line["kind"]: line["reveals"] for line in shown}
    assert {"OpenLabelMeans", "EncryptedLabels", "SumLabels", "CloseLabelMeans"} <= set(reveals)
    assert "how many with label 1" in reveals["SumLabels"]
    for party in (world.bank, world.bureau):
        page = tmp_path / f"{party.party.name}.html"
        run("audit", "export", party.directory, "--out", page)
        text = page.read_text(encoding="utf-8")
        assert ALGORITHM.job.activity in text.replace("&#39;", "'")
        assert f"at most {BINS} bins of a column" in text


def test_parts_are_merged_into_one_file(world: World, judged: Judged) -> None:
    """The export is the whole model: every column with its cut points and means."""
    with LabelParty(world.bank) as party:
        merged: dict[str, Any] = json.loads(party.export("m1"))
    assert merged["base_rate"] == world.table["default"].mean()
    found = {column["column"]: column["means"] for column in merged["columns"]}
    assert found == judged.means
    assert ALGORITHMS.model_types["label_means"] is LABEL_MEANS
