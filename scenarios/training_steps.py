"""The steps that every scenario has: institutions, alignment, training, scoring, and the judge."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from parties.report import plots
from scenarios import pooled_table
from scenarios.report import Audited, Traffic, explain, quality
from scenarios.run import MODEL, Run, Step, options
from vfl.algorithms.trees.disclosure_control import DisclosureReport

SCORES = "scores.csv"
EXPORTED = "model.json"
CURVES = "roc.svg"
"""Files beside the party directories: scores of the test file, the merged model, and a picture."""


def _set_up(run: Run) -> None:
    run.consortium.set_up()


def _align(run: Run) -> None:
    aligned = run.command("align", run.label, "--mode", "left")
    for partner, known in aligned["common"].items():
        run.line(f"{partner} knows {known:,} of {aligned['rows']:,} rows")


def _train(run: Run) -> None:
    held_out = ["--validation-fraction", str(run.validation_fraction)] if run.validation_fraction else []
    trained = run.command("train", run.label, "--model", MODEL, *options(run.trees), *held_out)
    run.line(f"{trained['facts']['trees']} trees on encrypted gradients of {trained['rows']:,} rows")
    run.results |= {
        "train_seconds": trained["seconds"],
        "disclosure": msgspec.convert(trained["facts"]["disclosure"], dict[str, DisclosureReport]),
    }


def _score(run: Run) -> None:
    run.command("score", run.label, MODEL, "--in", run.test, "--out", SCORES)


def _export(run: Run) -> None:
    run.command("export", run.label, MODEL, "--xgboost", EXPORTED)


def _audit(run: Run) -> None:
    """Have every party audit its ledger, against what the others keep of it with their signatures."""
    consortium, label = run.consortium, run.consortium.label
    between = [(own.name, run.label) for own in consortium.features]
    between += [(reader, own) for own, reader in between]
    files = {(own, reader): f"{own}-for-{reader}.json" for own, reader in between}
    with ThreadPoolExecutor() as pool:
        exports = [
            pool.submit(consortium.run, "audit", "export", own, "--peer", reader, "--out", file, party=own)
            for (own, reader), file in files.items()
        ]
    for export in exports:
        export.result()
    ledgers = {}
    for part in (label, *consortium.features):
        kept = [file for (_, reader), file in files.items() if reader == part.name]
        against = [word for file in kept for word in ("--against", file)]
        ledgers[part.name] = run.command("audit", "verify", part.name, *against)
    run.results["ledgers"] = msgspec.convert(ledgers, dict[str, Audited])
    entries = ", ".join(f"{name} {verdict['entries']:,}" for name, verdict in ledgers.items())
    run.line(f"entries verified, and none is another than was signed: {entries}")


def _judge(run: Run) -> None:
    """Compare with xgboost alone and on all columns in one table."""
    home = run.consortium.directory
    fit = pooled_table.trained_on(run.consortium, run.validation_fraction, run.trees.random_state)
    test = pooled_table.scored(run.consortium, home / run.test)
    judge = pooled_table.train(fit, run.trees)
    scores = {
        "alone": pooled_table.predict(pooled_table.train(fit, run.trees, own_only=True), test.columns),
        "together": pooled_table.read_scores(home / SCORES),
        "pooled": pooled_table.predict(judge, test.columns),
    }
    differences = pooled_table.differences(home / EXPORTED, judge)
    measured = {name: quality(test.labels, of) for name, of in scores.items()}
    curves = {f"{name} {measured[name].roc_auc:.4f}": of for name, of in scores.items()}
    (home / CURVES).write_text(plots.roc(test.labels, curves))
    shared = {name: quality(test.labels[test.known], of[test.known]) for name, of in scores.items()}
    run.results |= {
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


SET_UP = Step("set up", "each institution makes a certificate and says who may ask what", _set_up, False)
ALIGN = Step("align", "the parties find common rows, without showing the others", _align, True)
TRAIN = Step("train", "trees on encrypted gradients; no partner sees a label", _train, True)
SCORE = Step("score", "rows that were never trained on, by the same path", _score, True)
EXPORT = Step("export", "the partners agree to merge their parts, to compare with XGBoost", _export, True)
AUDIT = Step("audit", "every ledger holds what the others signed, and nobody has touched it", _audit, False)
JUDGE = Step("judge", "xgboost on all columns in one table, which nobody has in life", _judge, False)

STEPS = (SET_UP, ALIGN, TRAIN, SCORE, EXPORT, AUDIT, JUDGE)
"""A whole scenario; others put steps of theirs between."""


def measured(run: Run) -> dict[str, Any]:
    """Return what of the report is about the run as a whole."""
    consortium = run.consortium
    partners = consortium.traffic()
    facts = json.loads(consortium.run("info", "--json"))
    return {
        "title": run.title,
        "phases": run.seconds,
        "bytes_sent": sum(traffic["bytes_sent"] for traffic in partners.values()),
        "bytes_received": sum(traffic["bytes_received"] for traffic in partners.values()),
        "partners": msgspec.convert(partners, dict[str, Traffic]),
        "peak_rss_mb": consortium.peak_mb,
        "key_bits": consortium.key_bits,
        "kernel": facts["kernel"],
        "threads": int(facts["threads"]),
        **run.results,
    }


def next_steps(run: Run) -> str:
    """Return what the reader can do next with a directory that is kept."""
    home, names = run.consortium.directory, [part.name for part in run.consortium.features]
    return "\n".join(
        [
            f"\nROC curves: {home / CURVES}",
            "\nGo on with the same institutions:\n",
            f"  cd {home}",
            *(f"  vfl party serve {name} &" for name in names),
            f"  vfl evaluate {run.label} {MODEL} --in {run.test}",
            f"  vfl train {run.label} --model second --param n_estimators=20 --param max_bin=32",
            f"  vfl audit export {names[0]} --out processing.html",
        ]
    )
