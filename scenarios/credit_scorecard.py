"""The bank and the credit bureau of `scenarios.credit_default` build a scorecard together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from parties.report.tables import table
from scenarios import pooled_table
from scenarios.credit_default import prepare_data
from scenarios.pooled_scorecard import BINNING, BINS, Judge
from scenarios.report import RunReport, quality
from scenarios.run import MODEL, Run, Step, options
from scenarios.scenario import Choice, Scenario
from scenarios.training_steps import ALIGN, AUDIT, SCORE, SCORES, SET_UP
from vfl.linear_model.params import LinearParams


class InformationValue(msgspec.Struct, frozen=True):
    """A column of a party: how much its bins tell of the label, and whether it is in the model."""

    party: str
    column: str
    information_value: float
    bins: int
    kept: bool


class ScorecardReport(RunReport, frozen=True, kw_only=True):
    """What a scorecard was compared with.

    Attributes:
        ks: as ``auc``, the Kolmogorov-Smirnov distance. ``pooled`` is one institution with all columns:
            it bins them anew by plain counts and has scikit-learn fit the model.
        information_values: of every column of every party.
        scorecards: by party, what ``vfl scorecard`` printed in its directory.
        bin_seconds: wall time of binning.
        max_woe_difference: the largest difference of a weight of evidence to that from plain counts in the
            same bins.
        max_coefficient_difference: the same of coefficients, to scikit-learn's on the table coded by these.
        max_score_difference: the same of scores of test rows, to scikit-learn's.
        max_points_difference: the same, of probabilities from adding up printed points.
    """

    ks: dict[str, float]
    information_values: list[InformationValue]
    scorecards: dict[str, Any]
    bin_seconds: float
    max_woe_difference: float
    max_coefficient_difference: float
    max_score_difference: float
    max_points_difference: float

    def to_text(self) -> str:
        """Return the report as tables."""
        lines = [
            [of.party, of.column, f"{of.information_value:.4f}", str(of.bins), "kept" if of.kept else ""]
            for of in sorted(self.information_values, key=lambda of: -of.information_value)
        ]
        return f"{super().to_text()}\n\n{table(['party', 'column', 'IV', 'bins', ''], lines)}"

    def verdict(self) -> list[str]:
        """Return what plain counts and scikit-learn say, in lines."""
        apart = self.auc["together"] - self.auc["pooled"]
        return [
            f"ROC-AUC together less pooled: {apart:+.5f}; KS {self.ks['together'] - self.ks['pooled']:+.5f}",
            f"largest difference of a weight of evidence to plain counts: {self.max_woe_difference:.1e}",
            f"of a coefficient to scikit-learn's: {self.max_coefficient_difference:.1e}; of a test score: "
            f"{self.max_score_difference:.1e}; of one from printed points: {self.max_points_difference:.1e}",
        ]


def _bin(run: Run) -> None:
    made = run.command("bin", run.label, "--name", BINNING, *options(BINS))
    run.results["information_values"] = [
        InformationValue(
            party=of["owner"] or run.label,
            column=of["name"],
            information_value=made["information_values"][f"{of['owner'] or run.label}.{of['name']}"],
            bins=sum(line["kind"] == "values" for line in of["bins"]),
            kept=of["selected"],
        )
        for of in made["tables"]
    ]
    kept = sum(of.kept for of in run.results["information_values"])
    run.line(f"{kept} of {len(made['tables'])} columns kept")
    run.results["bin_seconds"] = made["record"]["seconds"]


def _train(run: Run) -> None:
    arguments = ("--algorithm", "linear", "--binning", BINNING, *options(run.params))
    trained = run.command("train", run.label, "--model", MODEL, *arguments)
    run.line(f"{len(trained['history'])} rounds on encrypted residuals of {trained['rows']:,} rows")
    run.results["train_seconds"] = trained["seconds"]


def _points(run: Run) -> None:
    cards = {}
    for part in run.consortium.institutions:
        cards[part.name] = run.command("scorecard", part.name, MODEL)
        run.line(f"{part.name} has points for {len(cards[part.name]['rows'])} bins of its own")
    run.results["scorecards"] = cards


def _judge(run: Run) -> None:
    """Compare with one institution that has all columns in one table, plain counts and scikit-learn."""
    home = run.consortium.directory
    test = pooled_table.scored(run.consortium, home / run.test)
    judge = Judge(run.consortium, pooled_table.trained_on(run.consortium))
    scores = {
        "alone": judge.alone(test),
        "together": pooled_table.read_scores(home / SCORES),
        "pooled": judge.anew(test),
    }
    measured = {name: quality(test.labels, of) for name, of in scores.items()}
    run.results |= {
        "rows": {
            "training": len(judge.fit.labels),
            "test": len(test.labels),
            "test_known": int(sum(test.known)),
        },
        "auc": {name: of.roc_auc for name, of in measured.items()},
        "ks": {name: of.ks for name, of in measured.items()},
        "quality": measured,
        "max_woe_difference": judge.woe_difference(),
        "max_coefficient_difference": judge.coefficient_difference(),
        "max_score_difference": judge.score_difference(test, scores["together"]),
        "max_points_difference": judge.points_difference(test, run.results["scorecards"], scores["together"]),
    }


BIN = Step("bin", "labels counted by everybody's bins, encrypted; each party codes its own", _bin, True)
TRAIN = Step("train", "a logistic model on encrypted residuals, on weights of evidence", _train, True)
POINTS = Step("points", "each institution prints the points of its own bins", _points, False)
JUDGE = Step("judge", "one institution with all columns, which nobody is in life", _judge, False)


def _go_on(run: Run) -> str:
    """Return what the reader can do next with a directory that is kept."""
    home, names = run.consortium.directory, [part.name for part in run.consortium.features]
    return "\n".join(
        [
            "\nGo on with the same institutions:\n",
            f"  cd {home}",
            *(f"  vfl party serve {name} &" for name in names),
            f"  vfl scorecard {run.label} {MODEL} --pdo 40 --base-score 500",
            f"  vfl evaluate {run.label} {MODEL} --in {run.test}",
        ]
    )


CREDIT_SCORECARD = Scenario(
    name="credit_scorecard",
    line="A bank and a credit bureau build a scorecard for 30,000 real customers",
    title="A scorecard for default by a bank alone, with a bureau, and on pooled columns",
    institutions=("bank", "bureau"),
    duration="half a minute",
    params=LinearParams(standardise=False),
    prepare=prepare_data,
    steps=(SET_UP, ALIGN, BIN, TRAIN, POINTS, SCORE, AUDIT, JUDGE),
    report=ScorecardReport,
    next_steps=_go_on,
)


@click.command(
    epilog="Example:\n\n  python -m scenarios.credit_scorecard --data credit_default --json out.json"
)
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory with the data.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Keep everything in this new directory.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the report there.")
def main(data: Path, out: Path | None, file: Path | None) -> None:
    """Run the scenario; the same as `vfl scenario run credit_scorecard`."""
    CREDIT_SCORECARD.run(Choice(data=data, out=out, file=file))


if __name__ == "__main__":
    main()
