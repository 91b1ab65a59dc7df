"""The steps of scenarios that serve their model: evaluate, publish, answer, explain, lose a partner."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
import pandas as pd

from parties import config as configuration
from parties.config.files import write_private
from parties.label.evaluation import Evaluation
from scenarios.api_report import Example, Outage
from scenarios.client import Client, Keys, Place, Watch
from scenarios.processes import CommandFailed
from scenarios.run import MODEL, Run, Step

REPORT = "report.html"
ANSWERS = "answers.json"
REASONS = "reasons.json"
HEADER = "api-key.txt"
"""Files beside the party directories: the evaluation, what the API answered, and the header with its key."""

THRESHOLD = "fpr=0.01"
ALERTS_PER_DAY = 10
"""What a row is an alert by, and how many of them a small team looks at."""

BATCH = 1_000
"""Records of one request of a batch."""

EXPLAINED_ROWS = 200
"""Rows whose contributions are compared."""

ALL_REASONS = 50
"""The most reasons that may be asked for: more than there are columns."""

WATCHED_ROWS = 20
"""Records of each request while a partner is away."""

JOINT_SECONDS, RETURN_SECONDS = 0.5, 60.0
"""How long requests go on before and after a partner is away, and how long it may take to be back."""


def _evaluate(run: Run) -> None:
    per_day = ["--alerts-per-day", str(ALERTS_PER_DAY)] if "day" in run.consortium.label.columns else []
    result = run.command("evaluate", run.label, MODEL, "--in", run.test, *per_day, "--html", REPORT)
    evaluation = msgspec.convert(result, Evaluation)
    for added in evaluation.added:
        gain = added.roc_auc
        run.line(f"{added.name}: {gain.difference:+.3f} ROC-AUC (95%: {gain.low:+.3f} to {gain.high:+.3f})")
    if evaluation.days is not None:
        precision = evaluation.together.precision_at_k
        run.line(f"of {ALERTS_PER_DAY} alerts a day {precision:.0%} are fraud")


def _publish(run: Run) -> None:
    publish = ("publish", run.label, MODEL, "--population", run.test, "--threshold", THRESHOLD)
    parity = run.command(*publish)["parity"]
    run.line(f"{parity['rows']:,} rows are scored alike in batch, online and by XGBoost, or it is refused")


def _serve(run: Run) -> None:
    create = ("api-key", "create", run.label, "--name", "scenario", "--model", MODEL, "--rate", "1000")
    key = run.command(*create)["key"]
    write_private(run.consortium.directory / HEADER, f"Authorization: Bearer {key}\n".encode())
    run.line(f"$ vfl party serve {run.label} &")
    run.line(f"the scoring API listens on {run.consortium.start(run.label)}")


def _answer(run: Run) -> None:
    """Ask for every test row in batches, then for some of them alone."""
    records = records_of(run)
    some = records[:: -(-len(records) // run.load.singles)]
    with Client(place(run)) as client:
        started = time.perf_counter()
        batch = list(client.batches(records, BATCH))
        seconds = time.perf_counter() - started
        alone, milliseconds = client.timed(some)
        card = client.card()
    answers = {"batch": batch, "alone": alone, "threshold": card["threshold"]}
    write_private(run.consortium.directory / ANSWERS, msgspec.json.encode(answers))
    run.results |= {
        "modes": dict(Counter(result["mode"] for result in batch + alone)),
        "api_rows": len(batch),
        "api_rows_per_second": round(len(batch) / seconds, 1),
        "api_requests": len(alone),
        "api_p50_ms": round(float(np.percentile(milliseconds, 50)), 2),
        "api_p99_ms": round(float(np.percentile(milliseconds, 99)), 2),
    }
    run.line(f"{len(batch):,} rows in requests of {BATCH:,} records, {len(alone)} in requests of one")


def _explain(run: Run) -> None:
    """Ask why, with every column: a partner's are told under the names that it shows."""
    records = records_of(run)
    with Client(place(run)) as client:
        results = client.score(records[:: -(-len(records) // EXPLAINED_ROWS)], reasons=ALL_REASONS)
    write_private(run.consortium.directory / REASONS, msgspec.json.encode(results))
    highest = max(results, key=lambda result: result["score"])
    command = _curl(run, highest["keys"])
    run.line(f"$ {command}")
    ended = subprocess.run(
        shlex.split(command), cwd=run.consortium.directory, check=True, capture_output=True, text=True
    )
    answer = json.loads(ended.stdout)
    for reason in answer["results"][0]["reasons"]:
        run.line(f"{reason['contribution']:+.2f}  {reason['name']} of {reason['party']}")
    run.results["example"] = Example(command=command, answer=answer)


def _curl(run: Run, keys: Keys) -> str:
    """Return the command that asks for one row, to be typed in the directory that is kept."""
    api = place(run)
    home = run.consortium.directory
    body = json.dumps({"records": [{"keys": keys}]})
    words = ["curl", "--silent", "--cacert", str(api.ca.relative_to(home)), "-H", f"@{api.header.name}"]
    words += ["-H", "Content-Type: application/json", "-d", body, f"{api.score}?reasons=3"]
    return shlex.join(words)


def _lose_partner(run: Run) -> None:
    """Stop a partner and start it again while requests go on."""
    answers = json.loads((run.consortium.directory / ANSWERS).read_bytes())["batch"]
    known = {
        part.name: [a["keys"] for a in answers if a["parties"].get(part.name) == "answered"]
        for part in run.consortium.features
    }
    partner = next(name for name, keys in known.items() if keys)
    with Watch(place(run), known[partner][:WATCHED_ROWS]) as watch:
        _wait(watch, joint=True, since=time.monotonic(), what="a joint answer")
        time.sleep(JOINT_SECONDS)
        run.line(f"{partner} stops")
        went = time.monotonic()
        run.consortium.stop(partner)
        without = _wait(watch, joint=False, since=went, what=f"an answer without {partner}")
        time.sleep(run.load.away_seconds)
        run.line(f"$ vfl party serve {partner} &")
        run.consortium.start(partner)
        back = _wait(watch, joint=True, since=time.monotonic(), what="a joint answer again")
        time.sleep(JOINT_SECONDS)
    run.line(f"answers without {partner} after {without:.1f} s; joint ones {back:.1f} s after it was back")
    run.results["fallback"] = Outage(
        partner=partner,
        requests=sum(watch.statuses.values()),
        joint=watch.modes["joint"],
        partial=watch.modes["partial"],
        bank_only=watch.modes["bank_only"],
        server_errors=sum(count for status, count in watch.statuses.items() if status >= 500),
        slowest_ms=round(watch.slowest_ms, 1),
        seconds_until_joint=round(back, 2),
    )


def _wait(watch: Watch, *, joint: bool, since: float, what: str) -> float:
    seconds = watch.wait_for(joint, since, RETURN_SECONDS)
    if seconds is None:
        raise CommandFailed(f"the scoring API did not give {what} within {RETURN_SECONDS:.0f} s")
    return seconds


def place(run: Run) -> Place:
    """Return where the label party's API is."""
    home, api = run.consortium.directory, configuration.load(run.consortium.path(run.label)).api
    ca = run.consortium.path(run.label) / "tls" / "ca.pem"
    return Place(f"https://{api.host}:{api.port}", MODEL, ca, home / HEADER)


def records_of(run: Run) -> Sequence[Keys]:
    """Return the keys of all test rows, as the label party writes them."""
    part = run.consortium.label
    keys = pd.read_csv(run.consortium.directory / run.test, dtype=str, usecols=[part.key])[part.key]
    return [{part.key_field: key} for key in keys]


EVALUATE = Step("evaluate", "what a fraud team asks, and what each partner adds", _evaluate, True)
PUBLISH = Step(
    "publish", "a threshold, a fallback, and the proof that all ways of scoring agree", _publish, True
)
SERVE = Step("serve", "the bank opens its scoring API; its programs get a key", _serve, True)
ANSWER = Step("answer", "a client asks for every test row over HTTPS", _answer, True)
EXPLAIN = Step("explain", "which columns made a score, the partners' among them", _explain, True)
LOSE_PARTNER = Step("outage", "a partner stops and comes back while requests go on", _lose_partner, True)
