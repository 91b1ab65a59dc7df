"""How long an alignment takes: ``python -m benchmarks.psi --rows 131072``.

Two processes on this machine, one for each party, joined by a pipe that carries the real frames. Half
of the identifiers are common.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import click

from vfl.jobs import PROTOCOL
from vfl.psi.alignment import Alignment
from vfl.psi.feature_party import AlignmentWorker
from vfl.psi.group import check_points, hash_to_group, mask, new_scalar
from vfl.psi.identifiers import PreparedIdentifiers, Recipe, prepare
from vfl.psi.label_party import align
from vfl.wire.session import FeatureSession, LabelSession, loopback_receiver

RECIPE = Recipe.parse(["customer: nfkc strip upper"])
JOB, PEER = "benchmark", "feature"


class PipeChannel:
    """Carries frames over a pipe to one other process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.bytes = 0

    def exchange(self, peer: str, frame: bytes) -> bytes:
        self._connection.send_bytes(frame)
        reply = self._connection.recv_bytes()
        self.bytes += len(frame) + len(reply)
        return reply


class NoStore:
    """The benchmark measures the alignment, not a disk."""

    def save_alignment(self, alignment: Alignment) -> None:
        pass


def identifiers(first: int, rows: int) -> PreparedIdentifiers:
    return prepare({"customer": [f" c{i:012d}" for i in range(first, first + rows)]}, RECIPE)


def feature_party(connection: Connection, rows: int) -> None:
    """Answer frames until the pipe is closed."""
    worker = AlignmentWorker(identifiers(rows // 2, rows), NoStore(), peer="label")
    receive = loopback_receiver(PROTOCOL, FeatureSession(PROTOCOL, JOB), worker.handle)
    connection.send_bytes(b"ready")
    try:
        while True:
            connection.send_bytes(receive(connection.recv_bytes()))
    except EOFError:
        return


def measure(rows: int) -> dict[str, float]:
    """Return seconds by phase of one alignment of ``rows`` with ``rows`` identifiers."""
    start = time.perf_counter()
    own = identifiers(0, rows)
    prepared = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=feature_party, args=(there, rows))
    process.start()
    there.close()
    here.recv_bytes()
    channel = PipeChannel(here)
    opened, marks = time.perf_counter(), {}
    aligned = align(
        {PEER: LabelSession(channel, PEER, JOB)},
        own,
        "benchmark",
        "left",
        lambda done, total, peer: marks.update({done: time.perf_counter()}),
    )
    end = time.perf_counter()
    here.close()
    process.join()
    if len(aligned[PEER].identifiers) != rows - rows // 2:
        raise SystemExit("the alignment is wrong")
    return {
        "prepare_identifiers_s": prepared - start,
        "label_points_s": marks[rows] - opened,
        "feature_points_s": marks[2 * rows] - marks[rows],
        "match_and_fix_s": end - marks[2 * rows],
        "alignment_s": end - opened,
        "megabytes_sent": channel.bytes / 1e6,
    }


def operations(count: int = 16_384) -> dict[str, float]:
    """Return operations a second and core, all cores busy."""
    keys, scalar = [f"C{i:012d}" for i in range(count)], new_scalar()
    points = hash_to_group(keys)
    cores = len(os.sched_getaffinity(0))

    def rate(work: Callable[[], object]) -> float:
        start = time.perf_counter()
        work()
        return count / (time.perf_counter() - start) / cores

    return {
        "hash_to_group_per_s_core": rate(lambda: hash_to_group(keys)),
        "mask_per_s_core": rate(lambda: mask(points, scalar)),
        "check_points_per_s_core": rate(lambda: check_points(points)),
    }


@click.command()
@click.option(
    "--rows", type=click.IntRange(min=2), default=2**17, show_default=True, help="Rows of each party."
)
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Also write here.")
def main(rows: int, json_file: Path | None) -> None:
    """Measure one alignment, both parties on this machine, and the operations it consists of."""
    result = {"rows": rows, "cores": len(os.sched_getaffinity(0))} | measure(rows) | operations()
    for name, value in result.items():
        click.echo(f"{name:26} {value:12,.2f}")
    if json_file:
        json_file.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
