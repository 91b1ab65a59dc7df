"""What a training job will take, before it runs: multiplications, seconds, bytes and memory.

Nothing is measured here: a `Machine` says how fast one is. Cryptography is most of the work of both parties,
and `vfl.algorithms.trees.multiplications` counts it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from vfl.aggregation.encrypted_rows import CHUNK_ROWS
from vfl.algorithms.trees import multiplications as count
from vfl.algorithms.trees.multiplications import Multiplications, levels
from vfl.crypto.packing import FixedPoint, GradientPacking
from vfl.crypto.paillier import Profile

BYTE_SECONDS = 4e-9
"""To pack, encode, encrypt for TLS and copy a byte of a message, at both ends together."""

CELL_SECONDS = 8e-9
"""To add one row's gradient to the label party's own bin of one column."""

ROW_SECONDS = 5e-6
"""To open a job: for each row, to find it by its identifier and to bin its columns."""

MESSAGE_BYTES = 100
"""Names, numbers and lengths around the bytes of one message."""

PROCESS_BYTES = 330_000_000
"""A party's process with its libraries, before it has a row."""

IDENTIFIER_BYTES = 350
"""A row's identifier: as read, canonical, aligned, and looked up."""

CELL_BYTES = 18
"""A value: read, aligned, and copied for its cut points (each 4 bytes), its bin and its joint cells."""

GRADIENT_BYTES = 90
"""What a row has at the label party while it trains: gradients, margin, places."""


@dataclass(frozen=True)
class Partner:
    """A feature party: the rows it has in common with the label party, and its columns.

    ``sums`` are the multiplications of a tree's sums where they were counted on real columns, and ``bins``
    the bins of all its columns.
    """

    rows: int
    columns: int
    bins: int
    sums: float | None = None


@dataclass(frozen=True)
class Work:
    """A training job.

    Args:
        rows: the label party's, all of which train.
        columns: the label party's own.
        partners: the feature parties.
        sampled: fraction of rows drawn for each tree.
        memory_limit: bytes of ciphertexts that a feature party holds in memory.
    """

    rows: int
    columns: int
    partners: tuple[Partner, ...]
    trees: int
    depth: int
    key_bits: int = 2048
    profile: Profile = "short"
    sampled: float = 1.0
    memory_limit: int = 2**32

    @property
    def ciphertext_bytes(self) -> int:
        return self.key_bits // 4

    def packed(self, partner: Partner) -> tuple[int, int, int]:
        """Ciphertexts of a node's reply at most, slots in each, and bits of a slot."""
        rows = max(1, self.rows)
        # Logistic loss: |g| up to 1 and h up to 1/4.
        sums = GradientPacking(FixedPoint.fraction_bits_for(rows, 1.0), rows, 1.0, 0.25)
        slots = sums.slots_per_ciphertext(rows, self.key_bits)
        return -(-partner.bins // slots), slots, sums.slot_bits(rows)

    def replies(self, partner: Partner) -> int:
        """Packed ciphertexts of a tree."""
        return self.packed(partner)[0] * sum(level.nodes for level in levels(self.depth))

    def packing(self, partner: Partner) -> Multiplications:
        """To pack and re-randomise the sums of a tree."""
        _, slots, slot_bits = self.packed(partner)
        each = count.packing(slots, slot_bits).public + count.rerandomising(self.key_bits).public
        return Multiplications(public=self.replies(partner) * each)

    def sums(self, partner: Partner) -> float:
        """Multiplications modulo n^2 for all sums of a tree."""
        if partner.sums is not None:
            return partner.sums
        rows, bins = partner.rows * self.sampled, max(1, partner.bins // max(1, partner.columns))
        return sum(
            level.nodes * count.independent_sums(rows * level.fraction, partner.columns, bins, partner.rows)
            for level in levels(self.depth)
        )


@dataclass(frozen=True)
class Machine:
    """How fast a machine works, in seconds and on all its threads.

    ``encrypt`` and ``take`` are for one row, at the label party and at the feature party. ``public`` is one
    multiplication among thousands side by side; ``few_public`` and ``few_private`` one among as many as a
    node's reply has ciphertexts, which may be too few to keep every thread and every lane busy.
    """

    kernel: str
    threads: int
    encrypt: float
    take: float
    public: float
    few_public: float
    few_private: float

    def few(self, work: Multiplications) -> float:
        return work.public * self.few_public + work.private * self.few_private


@dataclass(frozen=True)
class Link:
    """The label party's line, which its partners share. ``round_trip`` is in seconds."""

    bits_per_second: float
    round_trip: float


@dataclass(frozen=True)
class Steps:
    """Seconds of one tree by kind of work; ``wait`` is for the network beyond what work hides."""

    encrypt: float
    check: float
    sum: float
    pack: float
    decrypt: float
    own_sums: float
    messages: float
    wait: float


@dataclass(frozen=True)
class Traffic:
    """Bytes of messages between the label party and one partner over a whole job."""

    to_partner: int
    from_partner: int
    to_partner_per_row_and_tree: float
    from_partner_per_row_and_tree: float


@dataclass(frozen=True)
class Plan:
    """What a job will take. ``scratch_bytes`` are the ciphertexts that a feature party puts on disk."""

    seconds: float
    opening_seconds: float
    tree_seconds: float
    steps: Steps
    traffic: list[Traffic]
    label_memory: int
    feature_memory: list[int]
    scratch_bytes: list[int]


def plan(work: Work, machine: Machine, link: Link, *, one_machine: bool = False) -> Plan:
    """Predict a job between machines like ``machine``.

    Args:
        one_machine: whether all parties share one machine, as in a trial, instead of having one each.
    """
    traffic = [_traffic(work, partner) for partner in work.partners]
    steps = _steps(work, machine, link, traffic, one_machine)
    opening_work = machine.public * count.opening(work.key_bits).public
    opening = ROW_SECONDS * work.rows + opening_work + 2 * link.round_trip
    tree = _tree_seconds(steps, one_machine)
    memory = [_feature_memory(work, partner) for partner in work.partners]
    return Plan(
        seconds=opening + work.trees * tree,
        opening_seconds=opening,
        tree_seconds=tree,
        steps=steps,
        traffic=traffic,
        label_memory=PROCESS_BYTES
        + work.rows * (IDENTIFIER_BYTES + GRADIENT_BYTES + CELL_BYTES * work.columns)
        + 4 * CHUNK_ROWS * work.ciphertext_bytes * len(work.partners),
        feature_memory=[held for held, _ in memory],
        scratch_bytes=[on_disk for _, on_disk in memory],
    )


def _steps(work: Work, machine: Machine, link: Link, traffic: list[Traffic], one_machine: bool) -> Steps:
    """The slowest partner where each has a machine of its own, all of them together where they share one."""
    together = sum if one_machine else max
    replies = [work.replies(partner) for partner in work.partners]
    known = [partner.rows * work.sampled for partner in work.partners]
    moved = sum(both.to_partner + both.from_partner for both in traffic) / work.trees
    encrypt = machine.encrypt * max(known)
    check = together(machine.take * rows for rows in known)
    messages = BYTE_SECONDS * moved
    # Chunks are encrypted, carried and checked side by side; the slowest of the three sets the pace.
    chunks = max(known) / CHUNK_ROWS
    carried = 8 * moved / link.bits_per_second + chunks * link.round_trip
    hidden = encrypt + check + messages if one_machine else max(encrypt, check + messages)
    trips = (2 + work.depth * (2 if len(work.partners) > 1 else 1)) * link.round_trip
    return Steps(
        encrypt=encrypt,
        check=check,
        sum=together(machine.public * work.sums(partner) for partner in work.partners),
        pack=together(machine.few(work.packing(partner)) for partner in work.partners),
        decrypt=machine.few(count.decryption(work.key_bits).times(sum(replies))),
        own_sums=CELL_SECONDS
        * work.rows
        * work.columns
        * sum(n * fraction for n, fraction in levels(work.depth)),
        messages=messages,
        wait=max(0.0, carried - hidden) + trips,
    )


def _tree_seconds(steps: Steps, one_machine: bool) -> float:
    if one_machine:
        return float(sum(asdict(steps).values()))
    stream = max(steps.encrypt, steps.check + steps.messages)
    return stream + steps.sum + steps.pack + steps.decrypt + steps.own_sums + steps.wait


def _traffic(work: Work, partner: Partner) -> Traffic:
    """Ciphertexts and bitmaps of rows one way, packed sums and bitmaps the other.

    At each level the winner of a node tells the other by a bit for each row where it goes, the label party
    not at the last. Splits are taken to be won by columns in turn.
    """
    rows = partner.rows * work.sampled
    columns = work.columns + sum(other.columns for other in work.partners)
    fraction = partner.columns / max(1, columns)
    messages = MESSAGE_BYTES * (math.ceil(rows / CHUNK_ROWS) + work.depth + 2)
    bitmaps = partner.rows / 8
    there = rows * work.ciphertext_bytes + bitmaps * (1 + (1 - fraction) * (work.depth - 1)) + messages
    back = work.replies(partner) * work.ciphertext_bytes + bitmaps * fraction * work.depth + messages
    per_row = (sent / max(1, partner.rows) for sent in (there, back))
    return Traffic(round(work.trees * there), round(work.trees * back), *per_row)


def _feature_memory(work: Work, partner: Partner) -> tuple[int, int]:
    """Bytes in memory at most, and bytes of ciphertexts on disk."""
    ciphertexts = partner.rows * work.ciphertext_bytes
    on_disk = ciphertexts if ciphertexts > work.memory_limit else 0
    held = ciphertexts if not on_disk else work.memory_limit // 2
    held += PROCESS_BYTES + partner.rows * (IDENTIFIER_BYTES + CELL_BYTES * partner.columns)
    return held, on_disk
