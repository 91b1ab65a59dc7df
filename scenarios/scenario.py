"""What a scenario is: institutions with their data, parameters and steps; and how one is run."""

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
from scenarios.run import USUAL_LOAD, ApiLoad, Run, Step
from scenarios.training_steps import STEPS, measured, next_steps
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
    """A scenario that can be run by its name.

    Attributes:
        name: what is typed to run it.
        line: what it is about.
        title: of its tables and pictures.
        institutions: who takes part, the label party first.
        duration: about how long it takes on two cores.
        params: of the model.
        prepare: puts the institutions' files into a directory and says who holds which.
        steps: in their order.
        report: the kind of report that these steps fill.
        next_steps: what a reader can do with a directory that is kept.
        rows: to train on unless chosen otherwise; None where the data says how many.
        validation_fraction: fraction of rows kept out of training, for thresholds.
        load: on the scoring API, where there is one.
    """

    name: str
    line: str
    title: str
    institutions: Sequence[str]
    duration: str
    params: TreeParams | LinearParams
    prepare: Callable[[Path, Choice], list[Institution]]
    steps: Sequence[Step] = STEPS
    report: type[RunReport] = Report
    next_steps: Callable[[Run], str] = next_steps
    rows: int | None = None
    validation_fraction: float = 0.0
    load: ApiLoad = USUAL_LOAD

    def run(self, choice: Choice) -> None:
        """Run it on the terminal and leave behind what the reader chose.

        Raises:
            UsageError: the choice does not fit the scenario.
            CommandFailed: a command of an institution failed.
        """
        chosen = dataclasses.replace(choice, rows=choice.rows or self.rows)
        params = self._params(choice.trees)
        with ExitStack() as stack:
            directory = working_directory(choice.out, stack)
            institutions = self.prepare(directory, chosen)
            click.echo(f"{self.line}. Each is processes of its own, in {directory}\n")
            run = Run(
                title=self.title,
                consortium=Consortium(directory, institutions, choice.key_bits),
                params=params,
                test=TEST,
                say=click.echo,
                validation_fraction=self.validation_fraction,
                load=self.load,
            )
            run.execute(self.steps)
            report = self.report(**measured(run))
            click.echo(f"\n{report.to_text()}")
            report.write(choice.file)
            if choice.out:
                click.echo(self.next_steps(run))

    def _params(self, trees: int | None) -> TreeParams | LinearParams:
        if trees is None:
            return self.params
        if isinstance(self.params, LinearParams):
            raise click.UsageError("--trees is for scenarios about trees; this one is about a linear model")
        return msgspec.structs.replace(self.params, n_estimators=trees)


def generated(
    generator: Generator,
    recipe: str,
    *,
    test_fraction: float = 1.0,
    rate: float | None = None,
    key_field: str = "customer_id",
    columns: Mapping[str, str] | None = None,
) -> Callable[[Path, Choice], list[Institution]]:
    """Return what prepares a scenario on generated data.

    Args:
        recipe: steps that make keys of all institutions alike.
        test_fraction: rows to test on, as a fraction of those to train on.
        rate: fraction of fraud, in place of the generator's.
        key_field: what all institutions call the key.
        columns: what else the label party says of its columns; partners show the names of theirs.
    """

    def prepare(directory: Path, choice: Choice) -> list[Institution]:
        if choice.data is not None:
            raise click.UsageError("--data is for scenarios on real data; this one generates its own")
        rows = choice.rows or 0
        generator.write(directory, rows, choice.seed, int(rows * test_fraction), rate)
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

    return prepare
