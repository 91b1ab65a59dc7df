"""How every scenario is told: phase by phase, from empty directories to a report."""

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


class Phase(NamedTuple):
    """A step of a story.

    Attributes:
        name: of the step, in a word or two.
        what: happens in it, in a line.
        act: does it, and puts what it found into :attr:`Story.found`.
        partners: whether the feature parties serve meanwhile.
    """

    name: str
    what: str
    act: Callable[[Story], None]
    partners: bool


@dataclass
class Story:
    """One run of a consortium.

    Args:
        title: what is told, in a line.
        consortium: the institutions.
        params: of the model.
        test: a labelled file of the label party's beside the party directories, none of whose rows is
            trained on.
        say: takes a line at the beginning and at the end of each phase.
        validation_fraction: share of the rows kept out of training, for thresholds.

    Attributes:
        phases: by phase its wall time in seconds.
        found: what phases found, under the names of the report's fields.
    """

    title: str
    consortium: Consortium
    params: TreeParams | LinearParams
    test: str
    say: Say
    validation_fraction: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The label party's name."""
        return self.consortium.label.name

    @property
    def trees(self) -> TreeParams:
        """The parameters of a story about trees."""
        if not isinstance(self.params, TreeParams):
            raise TypeError("this phase is for models of trees")
        return self.params

    def tell(self, phases: Sequence[Phase]) -> None:
        """Go through the phases; feature parties serve in neighbouring ones that need them.

        Raises:
            CommandFailed: a command of an institution failed.
        """
        for partners, together in groupby(phases, key=lambda phase: phase.partners):
            with self.consortium.serving() if partners else nullcontext():
                for phase in together:
                    self._go_through(phase)

    def command(self, *arguments: str) -> Any:
        """Run ``vfl ARGUMENTS``, which the reader is shown, and return its JSON."""
        self.line(f"$ vfl {shlex.join(arguments)}")
        return json.loads(self.consortium.run(*arguments, "--json"))

    def line(self, text: str) -> None:
        """Say a line within a phase."""
        self.say(" " * INDENT + text)

    def _go_through(self, phase: Phase) -> None:
        self.say(f"{phase.name:{INDENT}}{phase.what}")
        started = time.monotonic()
        phase.act(self)
        self.phases[phase.name] = round(time.monotonic() - started, 2)
        self.line(f"took {self.phases[phase.name]:.1f} s")


def options(params: msgspec.Struct) -> list[str]:
    """Return ``--param`` options for the parameters that are not the defaults."""
    defaults = msgspec.structs.asdict(type(params)())
    given = msgspec.structs.asdict(params)
    written = {name: of if isinstance(of, str) else json.dumps(of) for name, of in given.items()}
    chosen = [f"{name}={written[name]}" for name, of in given.items() if of != defaults[name]]
    return [word for text in chosen for word in ("--param", text)]
