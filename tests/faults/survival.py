"""What jobs must outlive: kills, cut networks, lost and double frames, full disks."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Iterator
from random import Random

from parties.label.party import LabelParty
from parties.link.retry import Patience
from parties.link.transport import HttpsChannel
from tests.faults.proxy import FaultyChannel, FrameFault
from tests.faults.scene import PARAMS, Scene
from tests.faults.table import LOST, MODEL, OTHER, SAME, Fault
from vfl.algorithms.trees.params import TreeParams

Inject = Callable[[Scene, str, Random], str]

KILLS = {"train": (6, 5), "align": (2, 2), "score": (2, 2), "bin": (2, 2), "linear": (2, 2), "shared": (1, 1)}
"""How often, in a job of each kind, the label party is killed, and the feature party."""

EVERY_FRAME: tuple[FrameFault, ...] = ("lost", "answer lost", "twice", "late again", "early")

RANDOM = ("shared",)
"""Kinds of jobs that end in other last digits every time: their masks round what they hide."""


def judge(scene: Scene, kind: str, name: str) -> str:
    """Return whether what a job left is what the undisturbed one left."""
    made = scene.made(kind, name)
    if not all(made):
        return LOST
    if kind in RANDOM:
        return MODEL
    return SAME if made == scene.made(kind, "undisturbed") else OTHER


def killed(kind: str, *, label: bool = False, feature: bool = False) -> Inject:
    """Kill one party or both in the middle of a job. A label party is started again by its command."""

    def inject(scene: Scene, name: str, random: Random) -> str:
        process = scene.begin(kind, name)
        scene.part_way(process, kind, random)
        if label:
            process.kill()
        if feature:
            scene.kill_server()
            scene.start()
        process.wait()
        if label and judge(scene, kind, name) == LOST:
            scene.run(*scene.command(kind, name))
        return judge(scene, kind, name)

    return inject


def disturbed(kind: str, harm: Callable[[Scene, Random], None]) -> Inject:
    """Harm the connection part way; nobody helps the job."""

    def inject(scene: Scene, name: str, random: Random) -> str:
        process = scene.begin(kind, name)
        scene.part_way(process, kind, random)
        harm(scene, random)
        process.wait()
        scene.proxy.mend()
        scene.proxy.delay, scene.proxy.twice, scene.proxy.breaks = 0.0, False, None
        return judge(scene, kind, name)

    return inject


def frames(what: FrameFault) -> Inject:
    """Every third frame of a training suffers it."""

    def inject(scene: Scene, name: str, random: Random) -> str:
        faulty = FaultyChannel(HttpsChannel(scene.bank), lambda n, peer: what if n % 3 == 0 else "none")
        with LabelParty(scene.bank, transport=faulty, patience=Patience(first_pause=0.05)) as party:
            params = TreeParams(**PARAMS)  # type: ignore[arg-type]
            party.train(alignment="undisturbed", name=name, params=params)
        return judge(scene, "train", name)

    return inject


def full_at_label(scene: Scene, name: str, random: Random) -> str:
    """No file of the bank's process can grow any more; told so, it goes on with room."""
    process = scene.begin("train", name)
    scene.part_way(process, "train", random)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100, 100))
    said = process.wait()
    if process.code and ("then try again" not in said or "Traceback" in said):
        return f"no clear error: {said[-200:]}"
    if process.code:
        scene.run(*scene.command("train", name))
    return judge(scene, "train", name)


def full_at_feature(scene: Scene, name: str, random: Random) -> str:
    """No file of the bureau's server can grow; restarted with room, the training goes on."""
    process = scene.begin("train", name)
    scene.part_way(process, "train", random)
    scene.fill_server()
    time.sleep(2.0)
    scene.kill_server()
    scene.start()
    process.wait()
    if process.code:
        scene.run(*scene.command("train", name))
    return judge(scene, "train", name)


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
    for kind, times in KILLS.items():
        ends = MODEL if kind in RANDOM else SAME
        for party, count in zip(("label", "feature"), times, strict=True):
            for number in range(1, count + 1):
                inject = killed(kind, **{party: True})
                yield Fault(f"kill -9 of the {party} party, {kind} {number}", ends, inject)
    for number in (1, 2):
        yield Fault(f"kill -9 of both, train {number}", SAME, killed("train", label=True, feature=True))
    for number in (1, 2, 3):
        yield Fault(f"connection broken, train {number}", SAME, disturbed("train", broken))
    for kind in ("align", "score", "bin", "linear"):
        yield Fault(f"connection broken, {kind}", SAME, disturbed(kind, broken))
    yield Fault(f"network cut for {cut_seconds:g} s, train", SAME, disturbed("train", cut(cut_seconds)))
    mute = cut_seconds / 3
    yield Fault(f"network silent for {mute:g} s, train", SAME, disturbed("train", silent(mute)))
    yield Fault("slow link, train", SAME, disturbed("train", slow))
    yield Fault("connections doubled, train", SAME, disturbed("train", twice))
    for what in EVERY_FRAME:
        yield Fault(f"every third frame {what}, train", SAME, frames(what))
    yield Fault("disk full at the label party, train", SAME, full_at_label)
    yield Fault("disk full at the feature party, train", SAME, full_at_feature)
