"""The phases that every scenario has: institutions, alignment, training, scoring, and the judge."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from parties.report import plots
from scenarios import pooled
from scenarios.report import Audited, Traffic, explain, quality
from scenarios.story import MODEL, Phase, Story, options
from vfl.algorithms.trees.disclosure_control import DisclosureReport

SCORES = "scores.csv"
EXPORTED = "model.json"
CURVES = "roc.svg"
"""Files beside the party directories: scores of the test file, the merged model, and a picture."""


def _set_up(story: Story) -> None:
    story.consortium.found()


def _align(story: Story) -> None:
    aligned = story.command("align", story.label, "--mode", "left")
    for partner, known in aligned["common"].items():
        story.line(f"{partner} knows {known:,} of {aligned['rows']:,} rows")


def _train(story: Story) -> None:
    held_out = ["--validation-fraction", str(story.validation_fraction)] if story.validation_fraction else []
    trained = story.command("train", story.label, "--model", MODEL, *options(story.trees), *held_out)
    story.line(f"{trained['trees']} trees on encrypted gradients of {trained['rows']:,} rows")
    story.found |= {
        "train_seconds": trained["seconds"],
        "guarded": msgspec.convert(trained["guarded"], dict[str, DisclosureReport]),
    }


def _score(story: Story) -> None:
    story.command("score", story.label, MODEL, "--in", story.test, "--out", SCORES)


def _export(story: Story) -> None:
    story.command("export", story.label, MODEL, "--xgboost", EXPORTED)


def _audit(story: Story) -> None:
    """Have every party audit its ledger, against what the others keep of it with their signatures."""
    consortium, label = story.consortium, story.consortium.label
    between = [(own.name, story.label) for own in consortium.features]
    between += [(reader, own) for own, reader in between]
    files = {(own, reader): f"{own}-for-{reader}.json" for own, reader in between}
    with ThreadPoolExecutor() as pool:
        exports = [
            pool.submit(consortium.run, "audit", "export", own, "--peer", reader, "--out", file, of=own)
            for (own, reader), file in files.items()
        ]
    for export in exports:
        export.result()
    ledgers = {}
    for part in (label, *consortium.features):
        kept = [file for (_, reader), file in files.items() if reader == part.name]
        against = [word for file in kept for word in ("--against", file)]
        ledgers[part.name] = story.command("audit", "verify", part.name, *against)
    story.found["ledgers"] = msgspec.convert(ledgers, dict[str, Audited])
    entries = ", ".join(f"{name} {verdict['entries']:,}" for name, verdict in ledgers.items())
    story.line(f"entries verified, and none is another than was signed: {entries}")


def _judge(story: Story) -> None:
    """Compare with xgboost alone and on all columns in one table."""
    home = story.consortium.directory
    fit = pooled.trained_on(story.consortium, story.validation_fraction, story.trees.random_state)
    test = pooled.scored(story.consortium, home / story.test)
    judge = pooled.train(fit, story.trees)
    scores = {
        "alone": pooled.predict(pooled.train(fit, story.trees, own_only=True), test.columns),
        "together": pooled.written(home / SCORES),
        "pooled": pooled.predict(judge, test.columns),
    }
    differences = pooled.differences(home / EXPORTED, judge)
    measured = {name: quality(test.labels, of) for name, of in scores.items()}
    curves = {f"{name} {measured[name].roc_auc:.4f}": of for name, of in scores.items()}
    (home / CURVES).write_text(plots.roc(test.labels, curves))
    shared = {name: quality(test.labels[test.known], of[test.known]) for name, of in scores.items()}
    story.found |= {
        "rows": {
            "training": len(fit.labels),
            "test": len(test.labels),
            "test_known": int(sum(test.known)),
        },
        "auc": {name: quality.roc_auc for name, quality in measured.items()},
        "auc_known": {name: quality.roc_auc for name, quality in shared.items()},
        "quality": measured,
        "identical_trees": all(difference.is_tie for difference in differences),
        "differences": [explain(difference) for difference in differences],
    }


SET_UP = Phase("set up", "each institution makes a certificate and says who may ask what", _set_up, False)
ALIGN = Phase("align", "the parties find common rows, without showing the others", _align, True)
TRAIN = Phase("train", "trees on encrypted gradients; no partner sees a label", _train, True)
SCORE = Phase("score", "rows that were never trained on, by the same path", _score, True)
EXPORT = Phase("export", "the partners agree to merge their shares, for the judge", _export, True)
AUDIT = Phase("audit", "every ledger holds what the others signed, and nobody has touched it", _audit, False)
JUDGE = Phase("judge", "xgboost on all columns in one table, which nobody has in life", _judge, False)

PHASES = (SET_UP, ALIGN, TRAIN, SCORE, EXPORT, AUDIT, JUDGE)
"""A whole scenario; others put phases of theirs between."""


def measured(story: Story) -> dict[str, Any]:
    """Return what of the report is about the run as a whole."""
    consortium = story.consortium
    partners = consortium.traffic()
    facts = json.loads(consortium.run("info", "--json"))
    return {
        "title": story.title,
        "phases": story.phases,
        "bytes_sent": sum(traffic["bytes_sent"] for traffic in partners.values()),
        "bytes_received": sum(traffic["bytes_received"] for traffic in partners.values()),
        "partners": msgspec.convert(partners, dict[str, Traffic]),
        "peak_rss_mb": consortium.peak_mb,
        "key_bits": consortium.key_bits,
        "kernel": facts["kernel"],
        "threads": int(facts["threads"]),
        **story.found,
    }


def go_on(story: Story) -> str:
    """Return what the reader can do next with a directory that is kept."""
    home, names = story.consortium.directory, [part.name for part in story.consortium.features]
    return "\n".join(
        [
            f"\nROC curves: {home / CURVES}",
            "\nGo on with the same institutions:\n",
            f"  cd {home}",
            *(f"  vfl party serve {name} &" for name in names),
            f"  vfl evaluate {story.label} {MODEL} --in {story.test}",
            f"  vfl train {story.label} --model second --param n_estimators=20 --param max_bin=32",
            f"  vfl audit export {names[0]} --out processing.html",
        ]
    )
