"""What a scenario is: institutions with their data, parameters, and phases; and how one is run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from data_generators.generator import Generator
from scenarios.consortium import Consortium, Institution, working_directory
from scenarios.report import Report, RunReport
from scenarios.story import Phase, Story
from scenarios.training import PHASES, go_on, measured
from vfl.algorithms.trees.params import TreeParams
from vfl.linear_model.params import LinearParams

TEST = "bank_test.csv"
"""The label party's labelled file of rows that are not trained on, in every scenario."""


@dataclass(frozen=True)
class Choice:
    """What the reader chose of a run; None leaves it to the scenario.

    Attributes:
        rows: of the label party to train on.
        trees: to train.
        seed: of the data.
        data: directory with the data, where it is not generated.
        key_bits: length of the label party's Paillier key.
        out: new directory to keep everything in.
        file: for the report as JSON.
    """

    rows: int | None = None
    trees: int | None = None
    seed: int = 7
    data: Path | None = None
    key_bits: int = 2048
    out: Path | None = None
    file: Path | None = None


@dataclass(frozen=True)
class Scenario:
    """A story that can be run by its name.

    Attributes:
        name: what is typed to run it.
        line: what it is about.
        title: of its tables and pictures.
        institutions: who takes part, the label party first.
        duration: about how long it takes on two cores.
        params: of the model.
        found: puts the institutions' files into a directory and says who holds which.
        phases: in their order.
        report: the kind of report that these phases fill.
        go_on: what to do with everything where it is kept.
        rows: to train on unless chosen otherwise; None where the data says how many.
        validation_fraction: share of rows kept out of training, for thresholds.
    """

    name: str
    line: str
    title: str
    institutions: Sequence[str]
    duration: str
    params: TreeParams | LinearParams
    found: Callable[[Path, Choice], list[Institution]]
    phases: Sequence[Phase] = PHASES
    report: type[RunReport] = Report
    go_on: Callable[[Story], str] = go_on
    rows: int | None = None
    validation_fraction: float = 0.0

    def run(self, choice: Choice) -> None:
        """Tell the story on the terminal and leave behind what was asked for.

        Raises:
            UsageError: the choice does not fit the scenario.
            CommandFailed: a command of an institution failed.
        """
        chosen = dataclasses.replace(choice, rows=choice.rows or self.rows)
        params = self._params(choice.trees)
        with ExitStack() as stack:
            directory = working_directory(choice.out, stack)
            institutions = self.found(directory, chosen)
            click.echo(f"{self.line}. Each is processes of its own, in {directory}\n")
            story = Story(
                title=self.title,
                consortium=Consortium(directory, institutions, choice.key_bits),
                params=params,
                test=TEST,
                say=click.echo,
                validation_fraction=self.validation_fraction,
            )
            story.tell(self.phases)
            report = self.report(**measured(story))
            click.echo(f"\n{report.to_text()}")
            report.write(choice.file)
            if choice.out:
                click.echo(self.go_on(story))

    def _params(self, trees: int | None) -> TreeParams | LinearParams:
        if trees is None:
            return self.params
        if isinstance(self.params, LinearParams):
            raise click.UsageError("--trees is for scenarios about trees; this one is about a linear model")
        return msgspec.structs.replace(self.params, n_estimators=trees)


def invented(
    generator: Generator,
    recipe: str,
    *,
    test_share: float = 1.0,
    rate: float | None = None,
    key_field: str = "customer_id",
    columns: Mapping[str, str] | None = None,
) -> Callable[[Path, Choice], list[Institution]]:
    """Return what founds a scenario on generated data.

    Args:
        recipe: steps that make keys of all institutions alike.
        test_share: rows to test on, as a share of those to train on.
        rate: share of fraud, in place of the generator's.
        key_field: what all institutions call the key.
        columns: what else the label party says of its columns; partners show the names of theirs.
    """

    def found(directory: Path, choice: Choice) -> list[Institution]:
        if choice.data is not None:
            raise click.UsageError("--data is for scenarios on real data; this one generates its own")
        rows = choice.rows or 0
        generator.write(directory, rows, choice.seed, int(rows * test_share), rate)
        schema = generator.schema
        return [
            Institution(
                name,
                directory / f"{name}.csv",
                key=key.column,
                key_field=key_field,
                recipe=recipe,
                label=schema.label if name == schema.label_party else None,
                columns=(columns or {}) if name == schema.label_party else {},
                reasons=None if name == schema.label_party else "columns",
            )
            for name, key in schema.keys.items()
        ]

    return found
