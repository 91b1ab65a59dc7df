"""Sums that the guards of columns withhold, asked within a contract."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from tests.faults.desk import CIPHERTEXT, DEPTH, TREES, Desk, ask, grow_root, refused
from tests.faults.scene import MOST_SUMS, Scene
from tests.faults.table import ACCEPTED, Fault
from vfl.aggregation.journal import MAX_ATTEMPTS
from vfl.algorithms.scorecard.messages import BinningOpened, LabelCounts, SumBins
from vfl.algorithms.trees import messages as m

FEW = 49
"""One row fewer than the bureau trains on, and than it counts in a bin."""


def faults() -> Iterator[Fault]:
    """Every question, in the order in which they are asked."""
    no = "not_allowed"
    yield refused("training on too few rows", no, f"training on {FEW} rows",
                  lambda d: ask(d.agreed("train"), d.opening(fit_rows=d.first(FEW))))  # fmt: skip
    yield refused("gradients of too few rows", no, f"gradients of {FEW} rows",
                  lambda d: ask(d.begun(), m.OpenTree(0, d.first(FEW), [])))  # fmt: skip
    yield refused("binning on too few rows", no, f"on {FEW} rows",
                  lambda d: ask(d.agreed("bin"), d.binning(fit_rows=d.first(FEW))))  # fmt: skip
    yield Fault("bins of too few rows", "merged", _small_bins)
    yield Fault("sums of a node of too few rows", "withheld", _small_node)
    yield refused("the same node asked twice", "out_of_sequence", "asked for before", _same_node)
    yield refused("a node asked again without one row", no, "does not grow again as it", _one_row_less)
    yield refused("a row in more sums than allowed", no, f"in more than {MOST_SUMS} sums", _many_sums)
    yield refused("going on with other limits", "not_aligned", "used other terms", _other_limits)
    yield refused("going on with splits that never were", "not_aligned", "0 splits of those trees",
                  lambda d: ask(d.agreed("train"), d.opening(grown=1, splits=1)))  # fmt: skip
    yield refused("the same binning again and again", no, f"was done {MAX_ATTEMPTS} times", _again)
    yield refused("a ciphertext that is none", "bad_ciphertext", "", _no_ciphertext)


def _small_bins(scene: Scene, name: str, random: Random) -> str:
    with Desk(scene, scene.bank, name) as desk:
        opened = desk.agreed("bin").ask(desk.binning(), BinningOpened)
        return "merged" if max(of.bins for of in opened.columns) <= desk.rows // (FEW + 1) else ACCEPTED


def _small_node(scene: Scene, name: str, random: Random) -> str:
    """Send two rows one way, and ask for the sums of both ways."""
    with Desk(scene, scene.bank, name) as desk:
        session = desk.begun()
        grow_root(session)
        split = m.Directions(0, 1, desk.first(2))
        told = session.ask(m.GrowLevel([], [split], [1]), m.LevelGrown).sums
        return "withheld" if [one.ciphertexts for one in told] == [b""] else ACCEPTED


def _same_node(desk: Desk) -> None:
    session = desk.begun()
    grow_root(session)
    ask(session, m.GrowLevel([], [m.Directions(0, 1, desk.first(desk.rows // 2))], [1]))
    ask(session, m.GrowLevel([], [], [1]))


def _one_row_less(desk: Desk) -> None:
    grow_root(desk.begun())
    ask(desk.begun(), m.OpenTree(0, desk.first(desk.rows - 1), []))


def _many_sums(desk: Desk) -> None:
    session = desk.begun(trees=MOST_SUMS + 1)
    for tree in range(MOST_SUMS + 1):
        grow_root(session, tree)


def _again(desk: Desk) -> None:
    contract = desk.draft("bin")
    for _ in range(MAX_ATTEMPTS + 1):
        session = desk.under(contract)
        ask(session, desk.binning())
        ask(session, LabelCounts(0, CIPHERTEXT * desk.rows))
        ask(session, SumBins())


def _other_limits(desk: Desk) -> None:
    grow_root(desk.begun())
    desk.begun(max_depth=DEPTH - 1)


def _no_ciphertext(desk: Desk) -> None:
    session = desk.begun()
    ask(session, m.OpenTree(TREES - 1, b"", []))
    ask(session, m.Gradients(0, bytes(len(CIPHERTEXT))))
