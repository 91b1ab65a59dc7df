"""One run of a scenario: step by step, from empty directories to a report."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from scenarios.consortium import Consortium
from vfl.algorithms.trees.params import TreeParams
from vfl.linear_model.params import LinearParams

MODEL = "first"
"""Name of the model that a scenario trains."""

INDENT = 9

Say = Callable[[str], None]


class Step(NamedTuple):
    """A step of a run.

    Attributes:
        name: of the step, in a word or two.
        what: happens in it, in a line.
        run: does it, and adds to :attr:`Run.results`.
        partners: whether the feature parties serve meanwhile.
    """

    name: str
    what: str
    run: Callable[[Run], None]
    partners: bool


@dataclass(frozen=True)
class ApiLoad:
    """How much a scenario asks of a scoring API, and for how long.

    Attributes:
        singles: requests of one record.
        away_seconds: how long a partner stays away once answers are not joint.
    """

    singles: int = 300
    away_seconds: float = 2.0


USUAL_LOAD = ApiLoad()


@dataclass
class Run:
    """One run of a consortium.

    Args:
        title: what it is about, in a line.
        consortium: the institutions.
        params: of the model.
        test: a labelled file of the label party's beside the party directories, none of whose rows is
            trained on.
        say: takes a line at the beginning and at the end of each step.
        validation_fraction: fraction of the rows kept out of training, for thresholds.
        load: on the scoring API, where there is one.

    Attributes:
        seconds: by step its wall time.
        results: of all steps, under the names of the report's fields.
    """

    title: str
    consortium: Consortium
    params: TreeParams | LinearParams
    test: str
    say: Say
    validation_fraction: float = 0.0
    load: ApiLoad = USUAL_LOAD
    seconds: dict[str, float] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The label party's name."""
        return self.consortium.label.name

    @property
    def trees(self) -> TreeParams:
        """The parameters of a run about trees."""
        if not isinstance(self.params, TreeParams):
            raise TypeError("this step is for models of trees")
        return self.params

    def execute(self, steps: Sequence[Step]) -> None:
        """Run the steps in order; feature parties serve during neighbouring steps that need them.

        Raises:
            CommandFailed: a command of an institution failed.
        """
        for partners, together in groupby(steps, key=lambda step: step.partners):
            with self.consortium.serving() if partners else nullcontext():
                for step in together:
                    self._execute(step)

    def command(self, *arguments: str) -> Any:
        """Run ``vfl ARGUMENTS``, which the reader is shown, and return its JSON."""
        self.line(f"$ vfl {shlex.join(arguments)}")
        return json.loads(self.consortium.run(*arguments, "--json"))

    def line(self, text: str) -> None:
        """Say a line within a step."""
        self.say(" " * INDENT + text)

    def _execute(self, step: Step) -> None:
        self.say(f"{step.name:{INDENT}}{step.what}")
        started = time.monotonic()
        step.run(self)
        self.seconds[step.name] = round(time.monotonic() - started, 2)
        self.line(f"took {self.seconds[step.name]:.1f} s")


def options(params: msgspec.Struct) -> list[str]:
    """Return ``--param`` options for the parameters that are not the defaults."""
    defaults = msgspec.structs.asdict(type(params)())
    changed = {
        name: value for name, value in msgspec.structs.asdict(params).items() if value != defaults[name]
    }
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in changed.items()}
    return [word for name, text in texts.items() for word in ("--param", f"{name}={text}")]
