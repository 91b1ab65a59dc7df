"""What every scenario does, phase by phase: institutions, alignment, training, scoring, and the judge."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pandas as pd

from scenarios import pooled
from scenarios.consortium import Consortium
from scenarios.curves import roc_svg
from scenarios.report import Quality, Report, Traffic, explain, quality
from vfl.params import TreeParams

MODEL = "first"
"""Name of the model that a scenario trains."""

SCORES = "scores.csv"
EXPORTED = "model.json"
CURVES = "roc.svg"
"""Files beside the party directories: scores of the test file, the merged model, and a picture."""

INDENT = 9

Say = Callable[[str], None]


@dataclass
class Story:
    """One run of a consortium from empty directories to a report.

    Args:
        title: what is told, in a line.
        consortium: the institutions.
        params: of the trees.
        test: a labelled file of the label party's beside the party directories, none of whose customers is
            trained on.
        say: takes a line at the beginning and at the end of each phase.

    Attributes:
        phases: by phase its wall time in seconds.
    """

    title: str
    consortium: Consortium
    params: TreeParams
    test: str
    say: Say
    phases: dict[str, float] = field(default_factory=dict)

    def tell(self) -> Report:
        """Do everything by commands, then compare with what pooled columns would give.

        Raises:
            CommandFailed: a command of an institution failed.
        """
        consortium, label = self.consortium, self.consortium.label.name
        with self.phase("set up", "each institution makes a certificate and says who may ask what"):
            consortium.found()
        with consortium.serving():
            with self.phase("align", "the parties find common customers, without showing the others"):
                aligned = self._command("align", label, "--mode", "left")
                for partner, known in aligned["common"].items():
                    self._say(f"{partner} knows {known:,} of {aligned['rows']:,} customers")
            with self.phase("train", f"{self.params.n_estimators} trees on encrypted gradients"):
                trained = self._command("train", label, "--model", MODEL, *options(self.params))
            with self.phase("score", "customers that were never trained on, by the same path"):
                self._command("score", label, MODEL, "--in", self.test, "--out", SCORES)
            with self.phase("export", "the partners agree to merge their shares, for the judge"):
                self._command("export", label, MODEL, "--xgboost", EXPORTED)
            partners = consortium.traffic()
        with self.phase("judge", "xgboost on all columns in one table, which nobody has in life"):
            compared = self._compared()
        facts = json.loads(consortium.run("info", "--json"))
        return Report(
            title=self.title,
            train_seconds=trained["seconds"],
            phases=self.phases,
            bytes_sent=sum(traffic["bytes_sent"] for traffic in partners.values()),
            bytes_received=sum(traffic["bytes_received"] for traffic in partners.values()),
            partners=msgspec.convert(partners, dict[str, Traffic]),
            peak_rss_mb=consortium.peak_mb,
            key_bits=consortium.key_bits,
            kernel=facts["kernel"],
            threads=int(facts["threads"]),
            **compared,
        )

    @contextmanager
    def phase(self, name: str, what: str) -> Iterator[None]:
        """Say what begins, and how long it took."""
        self.say(f"{name:{INDENT}}{what}")
        started = time.monotonic()
        yield
        self.phases[name] = round(time.monotonic() - started, 2)
        self._say(f"took {self.phases[name]:.1f} s")

    def _say(self, text: str) -> None:
        self.say(" " * INDENT + text)

    def _command(self, *arguments: str) -> dict[str, Any]:
        self._say(f"$ vfl {shlex.join(arguments)}")
        result: dict[str, Any] = json.loads(self.consortium.run(*arguments, "--json"))
        return result

    def _compared(self) -> dict[str, Any]:
        """Return what of the report compares with xgboost alone and pooled."""
        home = self.consortium.directory
        fit, test = pooled.trained_on(self.consortium), pooled.scored(self.consortium, home / self.test)
        judge = pooled.train(fit, self.params)
        scores = {
            "alone": pooled.predict(pooled.train(fit, self.params, own_only=True), test.columns),
            "together": pd.read_csv(home / SCORES)["score"].to_numpy("float32"),
            "pooled": pooled.predict(judge, test.columns),
        }
        (home / CURVES).write_text(roc_svg(test.labels, scores, self.title))
        differences = pooled.differences(home / EXPORTED, judge)
        measured = {name: quality(test.labels, of) for name, of in scores.items()}
        shared = {name: quality(test.labels[test.known], of[test.known]) for name, of in scores.items()}
        return {
            "rows": {
                "training": len(fit.labels),
                "test": len(test.labels),
                "test_known": int(sum(test.known)),
            },
            "auc": _auc(measured),
            "auc_known": _auc(shared),
            "quality": measured,
            "identical_trees": all(difference.is_tie for difference in differences),
            "differences": [explain(difference) for difference in differences],
        }


def _auc(measured: dict[str, Quality]) -> dict[str, float]:
    return {name: quality.roc_auc for name, quality in measured.items()}


def options(params: TreeParams) -> list[str]:
    """Return the options of ``vfl train`` for the parameters that are not XGBoost's defaults."""
    defaults = msgspec.structs.asdict(TreeParams())
    given = msgspec.structs.asdict(params)
    chosen = [f"{name}={value}" for name, value in given.items() if value != defaults[name]]
    return [word for text in chosen for word in ("--param", text)]
