"""Injected faults, what is expected of each, and what came of it.

Run ``python -m benchmarks.faults --json out.json``. Two institutions run as real processes on this machine
with a proxy between them. Kills are SIGKILL after a random, seeded part of the undisturbed traffic. A model
counts as the same where the shares of both parties are byte for byte those of an undisturbed training.
"""

from __future__ import annotations

import json
import os
import resource
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import click

from benchmarks.injection import FaultyChannel, FrameFault, within
from benchmarks.scene import PARAMS, TREES, Scene, fingerprint
from parties import config as configuration
from parties import directory, retry
from parties.keys import private_key
from parties.label import LabelParty
from parties.transport import HttpsChannel
from vfl.errors import PeerError, PeerRefused
from vfl.params import TreeParams
from vfl.psi.alignment import Alignment
from vfl.wire import messages as m
from vfl.wire.session import LabelSession

SAME, OTHER, LOST, ACCEPTED = "same result", "another result", "lost", "accepted"


@dataclass(frozen=True)
class Fault:
    """A fault, what must come of it, and ``inject(scene, name, random)``, which says what came of it."""

    name: str
    expected: str
    inject: Callable[[Scene, str, Random], str]


@dataclass(frozen=True)
class Outcome:
    """What came of a fault; ``trees_again`` counts the trees that were begun more than once."""

    fault: str
    expected: str
    observed: str
    trees_again: int
    seconds: float


def judge(scene: Scene, kind: str, name: str) -> str:
    """Return whether what a job left is what the undisturbed one left."""
    if kind == "align":
        record = scene.bank.directory / f"state/alignments/{name}/record.json"
        again = [party.directory / f"state/alignments/{at}/{name}.alignment" if party is scene.bureau
                 else party.directory / f"state/alignments/{name}/{at}.alignment"
                 for party, at in ((scene.bank, "bureau"), (scene.bureau, "bank"))]  # fmt: skip
        if not record.exists() or not all(file.exists() for file in again):
            return LOST
        own, theirs = (Alignment.from_bytes(file.read_bytes()) for file in again)
        return SAME if own.fingerprint == theirs.fingerprint else OTHER
    if kind == "score":
        made = scene.scores(name)
        if not made.exists():
            return LOST
        return SAME if made.read_bytes() == scene.scores("undisturbed").read_bytes() else OTHER
    shares = scene.shares(name)
    if not all(shares):
        return LOST
    return SAME if shares == scene.shares("undisturbed") else OTHER


def command_of(scene: Scene, kind: str, name: str) -> list[str]:
    """Return the command that starts a job, or goes on with one that was broken off."""
    if kind == "train":
        return scene.train(name) if scene.trees_kept(name) is None else scene.resume(name)
    return scene.align(name) if kind == "align" else scene.score("undisturbed", name)


def killed(kind: str, *, label: bool = False, feature: bool = False) -> Callable[[Scene, str, Random], str]:
    """Kill one party or both in the middle of a job. A label party is started again by its command."""

    def inject(scene: Scene, name: str, random: Random) -> str:
        process = scene.begin(command_of(scene, kind, name))
        scene.part_way(process, kind, random)
        if label:
            process.kill()
        if feature:
            scene.kill_server()
            scene.start()
        process.communicate()
        if label and judge(scene, kind, name) == LOST:
            scene.run(command_of(scene, kind, name))
        return judge(scene, kind, name)

    return inject


def disturbed(kind: str, harm: Callable[[Scene, Random], None]) -> Callable[[Scene, str, Random], str]:
    """Harm the connection part way; nobody helps the job."""

    def inject(scene: Scene, name: str, random: Random) -> str:
        process = scene.begin(command_of(scene, kind, name))
        scene.part_way(process, kind, random)
        harm(scene, random)
        process.communicate()
        scene.proxy.mend()
        scene.proxy.delay, scene.proxy.twice, scene.proxy.breaks = 0.0, False, None
        return judge(scene, kind, name)

    return inject


def frames(what: FrameFault) -> Callable[[Scene, str, Random], str]:
    """Every third frame of a training suffers it."""

    def inject(scene: Scene, name: str, random: Random) -> str:
        with LabelParty(scene.bank) as party:
            patient = within(party._channel, retry.PatientChannel)
            inner = patient._channel
            patient._channel = FaultyChannel(inner, lambda n, peer: what if n % 3 == 0 else "none")
            party.train(alignment="rows", name=name, params=TreeParams(**PARAMS))  # type: ignore[arg-type]
        return judge(scene, "train", name)

    return inject


def full_at_label(scene: Scene, name: str, random: Random) -> str:
    """No file of the bank's process can grow any more; told so, it goes on with room."""
    process = scene.begin(scene.train(name))
    scene.part_way(process, "train", random)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100, 100))
    _, errors = process.communicate()
    if process.returncode and ("then try again" not in errors or "Traceback" in errors):
        return f"no clear error: {errors[-200:]}"
    if process.returncode:
        scene.run(command_of(scene, "train", name))
    return judge(scene, "train", name)


def full_at_feature(scene: Scene, name: str, random: Random) -> str:
    """No file of the bureau's server can grow; restarted with room, the training goes on by itself."""
    process = scene.begin(scene.train(name))
    scene.part_way(process, "train", random)
    scene.fill_server()
    time.sleep(2.0)
    scene.kill_server()
    scene.start()
    process.communicate()
    if process.returncode:
        scene.run(command_of(scene, "train", name))
    return judge(scene, "train", name)


def refused(
    ask: Callable[[Scene, LabelSession], None], *, stranger: bool = False
) -> Callable[[Scene, str, Random], str]:
    """Ask for what is not granted, past the label party's own software."""

    def inject(scene: Scene, name: str, random: Random) -> str:
        with HttpsChannel(configuration.load((scene.stranger if stranger else scene.bank).directory)) as way:
            try:
                ask(scene, LabelSession(way, "bureau"))
            except PeerRefused as error:
                return f"refused: {error.peer_code}"
            except PeerError as error:
                return f"refused: {error.code}"
        return ACCEPTED

    return inject


def opening(scene: Scene, **changes: object) -> m.OpenTraining:
    """Return an opening that the bureau would accept, with some fields changed."""
    path = scene.bank.directory / "state/alignments/rows/bureau.alignment"
    alignment = Alignment.from_bytes(path.read_bytes())
    rows, n = len(alignment.identifiers), (1 << len(alignment.identifiers)) - 1
    key = private_key(scene.bank).public_key.to_bytes()
    fields: dict[str, object] = {
        "model": "violation", "alignment": "rows", "fingerprint": alignment.fingerprint,
        "fit_rows": n.to_bytes(-(-rows // 8), "little"), "watch_rows": bytes(-(-rows // 8)),
        "public_key": key, "fraction_bits": 30, "packed_rows": rows, "max_abs_g": 1.0, "max_h": 1.0,
        "max_bin": 16, "max_depth": 3, "trees": 2,
    }  # fmt: skip
    return m.OpenTraining(**(fields | changes))  # type: ignore[arg-type]


def opened(scene: Scene, session: LabelSession, *requests: m.Message, **changes: object) -> None:
    """Open a training and make further requests of it."""
    session.ask(opening(scene, **changes), m.TrainingOpened)
    for request in requests:
        session.ask(request, m.TreeOpened)


def wrong_pin(scene: Scene, session: LabelSession) -> None:
    """Meet a server whose certificate is not the configured one."""
    other = directory.add_peer(
        scene.stranger.directory, f"other{time.monotonic_ns()}",
        {"fingerprint": fingerprint(scene.bank), "url": scene.proxy.url},
    )  # fmt: skip
    name = next(peer for peer in other.peers if peer.startswith("other"))
    with HttpsChannel(other) as way:
        LabelSession(way, name).ask(m.AskShare("undisturbed"), m.ShareGiven)


def ask_share(scene: Scene, session: LabelSession) -> None:
    """Ask for a share that is another label party's."""
    session.ask(m.AskShare("undisturbed"), m.ShareGiven)


def cut(seconds: float) -> Callable[[Scene, Random], None]:
    return lambda scene, random: scene.proxy.cut_for(seconds)


def silent(seconds: float) -> Callable[[Scene, Random], None]:
    def harm(scene: Scene, random: Random) -> None:
        scene.proxy.freeze()
        threading.Timer(seconds, scene.proxy.mend).start()

    return harm


def broken(scene: Scene, random: Random) -> None:
    scene.proxy.breaks = scene.proxy.passed + random.randrange(1, 20_000)


def slow(scene: Scene, random: Random) -> None:
    scene.proxy.delay = 0.01


def twice(scene: Scene, random: Random) -> None:
    scene.proxy.twice = True
    scene.proxy.cut()
    scene.proxy.mend()


def faults(cut_seconds: float) -> Iterator[Fault]:
    """Every fault, in the order in which they are injected."""
    for kind, times in (("train", 6), ("align", 2), ("score", 2)):
        for number in range(times):
            yield Fault(f"kill -9 of the label party, {kind} {number + 1}", SAME, killed(kind, label=True))
    for kind, times in (("train", 5), ("align", 2), ("score", 2)):
        for number in range(times):
            yield Fault(
                f"kill -9 of the feature party, {kind} {number + 1}", SAME, killed(kind, feature=True)
            )
    for number in range(2):
        yield Fault(f"kill -9 of both, train {number + 1}", SAME, killed("train", label=True, feature=True))
    for number in range(3):
        yield Fault(f"connection broken, train {number + 1}", SAME, disturbed("train", broken))
    yield Fault("connection broken, align", SAME, disturbed("align", broken))
    yield Fault("connection broken, score", SAME, disturbed("score", broken))
    yield Fault(f"network cut for {cut_seconds:g} s, train", SAME, disturbed("train", cut(cut_seconds)))
    yield Fault(
        f"network silent for {cut_seconds / 3:g} s", SAME, disturbed("train", silent(cut_seconds / 3))
    )
    yield Fault("slow link, train", SAME, disturbed("train", slow))
    yield Fault("connections doubled, train", SAME, disturbed("train", twice))
    for what in ("lost", "answer lost", "twice", "late again", "early"):
        yield Fault(f"every third frame: {what}", SAME, frames(what))
    yield Fault("disk full at the label party", SAME, full_at_label)
    yield Fault("disk full at the feature party", SAME, full_at_feature)
    yield from violations()


def violations() -> Iterator[Fault]:
    """What must be refused."""
    yield Fault("certificate of a stranger", "refused: unknown_peer", refused(ask_share, stranger=True))
    yield Fault("server with another certificate", "refused: unreachable", refused(wrong_pin))
    for field, value in (("trees", 5_000), ("max_depth", 11), ("fit_rows", None)):
        yield Fault(f"opening beyond the limits: {field}", "refused: not_allowed", refused(
            lambda s, to, field=field, value=value: opened(  # type: ignore[misc]
                s, to, **{field: (1).to_bytes(len(opening(s).fit_rows), "little") if value is None else value}
            )))  # fmt: skip
    yield Fault("a model's name taken again", "refused: not_allowed",
                refused(lambda s, to: opened(s, to, model="undisturbed")))  # fmt: skip
    yield Fault("going on with other limits", "refused: not_aligned",
                refused(lambda s, to: opened(s, to, model="undisturbed", grown=1)))  # fmt: skip
    yield Fault("going on with what never began", "refused: state",
                refused(lambda s, to: opened(s, to, model="never", grown=1)))  # fmt: skip
    yield Fault("one tree too many", "refused: out_of_sequence",
                refused(lambda s, to: opened(s, to, m.OpenTree(2, b"", []))))  # fmt: skip


def run(scene: Scene, fault: Fault, number: int, seed: int) -> Outcome:
    """Inject one fault and say what came of it."""
    trees, began = scene.trees_opened(), time.monotonic()
    try:
        observed = fault.inject(scene, f"f{number}", Random(f"{seed}-{number}"))  # noqa: S311
    except Exception as error:  # the table must tell of every fault, whatever became of it
        observed = f"{LOST}: {type(error).__name__}: {str(error)[:200]}"
    again = scene.trees_opened() - trees - TREES if "train" in fault.name else 0
    return Outcome(fault.name, fault.expected, observed, max(0, again), round(time.monotonic() - began, 2))


def summary(outcomes: list[Outcome]) -> dict[str, int]:
    """Count what must be zero."""
    jobs = [outcome for outcome in outcomes if outcome.expected == SAME]
    counts = Counter(outcome.observed for outcome in jobs)
    return {
        "faults": len(outcomes),
        "as_expected": sum(outcome.observed == outcome.expected for outcome in outcomes),
        "lost_jobs": len(jobs) - counts[SAME] - counts[OTHER],
        "different_models": counts[OTHER],
        "accepted_violations": sum(outcome.observed == ACCEPTED for outcome in outcomes),
        "most_trees_again": max((outcome.trees_again for outcome in outcomes), default=0),
    }


@click.command()
@click.option("--json", "file", type=click.Path(path_type=Path), help="Where to write the table.")
@click.option("--only", default="", help="Inject only faults whose name holds this.")
@click.option("--rows", default=400, show_default=True, help="Rows of each party.")
@click.option("--seed", default=0, show_default=True, help="Seed of the moments of kills.")
@click.option("--cut-seconds", default=60.0, show_default=True, help="How long the network is cut.")
def main(file: Path | None, only: str, rows: int, seed: int, cut_seconds: float) -> None:
    """Inject faults into jobs of two parties and print what came of each."""
    retry.FIRST_PAUSE = 0.05
    with tempfile.TemporaryDirectory() as root:
        scene = Scene(Path(root), rows)
        try:
            outcomes = []
            for number, fault in enumerate(faults(cut_seconds)):
                if only in fault.name:
                    outcomes.append(run(scene, fault, number, seed))
                    print_row(outcomes[-1])
        finally:
            scene.close()
    found = summary(outcomes)
    click.echo(json.dumps(found))
    if file:
        table = [asdict(outcome) for outcome in outcomes]
        file.write_text(json.dumps({**found, "cores": os.cpu_count(), "outcomes": table}, indent=1))


def print_row(outcome: Outcome) -> None:
    """Print one row of the table."""
    mark = "ok " if outcome.observed == outcome.expected else "NOT"
    click.echo(
        f"{mark} {outcome.fault:<48} {outcome.expected:<26} {outcome.observed:<26} "
        f"{outcome.trees_again} again  {outcome.seconds:5.1f} s"
    )


if __name__ == "__main__":
    main()
