"""A feature party as the grower sees it: an owner of columns, at the far end of a conversation."""

from __future__ import annotations

import numpy as np

from vfl.aggregation.bitmap import from_bitmap, to_bitmap
from vfl.aggregation.ciphertext_stream import send_ciphertexts
from vfl.aggregation.encrypted_rows import EncryptedRows
from vfl.aggregation.packed_sums import SumOpener
from vfl.algorithms.trees import messages as m
from vfl.algorithms.trees.columns import LevelReply, LevelRequest, OwnerNodes
from vfl.algorithms.trees.disclosure_control import DisclosureReport
from vfl.arrays import Bool, Float64, Integers
from vfl.errors import MalformedMessage
from vfl.wire.session import LabelSession


class RemoteParty:
    """A feature party that has opened a training.

    Args:
        session: its conversation.
        rows_in_label_table: int64, by the party's own row the label party's row.
        opener: decrypts its sums.
        opened: its answer to the opening.

    Attributes:
        n_bins: int64, bins of each column.
        shown: by column its name, or "" where the party does not show it.
        withheld: number of nodes whose sums it has not disclosed so far.
    """

    def __init__(
        self,
        session: LabelSession,
        rows_in_label_table: Integers,
        opener: SumOpener,
        opened: m.TrainingOpened,
    ) -> None:
        self.session, self.rows_in_label_table, self.opener = session, rows_in_label_table, opener
        self.n_bins: Integers = np.array([column.bins for column in opened.columns], dtype=np.int64)
        self.shown = [column.name for column in opened.columns]
        self.withheld = 0
        self._coarser = opened.coarser

    @classmethod
    def open(
        cls, session: LabelSession, rows_in_label_table: Integers, opener: SumOpener, opening: m.OpenTraining
    ) -> RemoteParty:
        """Open the job; raises PeerError where the party refuses."""
        return cls(session, rows_in_label_table, opener, session.ask(opening, m.TrainingOpened))

    @property
    def disclosure(self) -> DisclosureReport:
        """What the party's disclosure control changed in this job so far."""
        return DisclosureReport(self._coarser, self.withheld)

    @property
    def names(self) -> list[str]:
        """Names of the columns over all parties: ``party.name``, or ``party.number`` where not shown."""
        return [f"{self.session.peer}.{name or number}" for number, name in enumerate(self.shown)]

    def close(self, trees: int) -> None:
        """End the job; the party keeps its splits of the first ``trees`` trees."""
        self.session.ask(m.CloseTraining(trees), m.TrainingClosed)


class RemoteColumns:
    """A feature party's columns as a `vfl.algorithms.trees.columns.ColumnOwner` for one tree.

    Args:
        party: whose columns they are.
        tree: number of the tree.
        encrypted: ciphertexts of the tree's gradients, by row of the label party.
        sampled: bool [label-party rows], the rows that enter sums.
    """

    def __init__(self, party: RemoteParty, tree: int, encrypted: EncryptedRows, sampled: Bool) -> None:
        self.n_bins, self.rows_in_label_table = party.n_bins, party.rows_in_label_table
        self._party, self._tree, self._encrypted = party, tree, encrypted
        self._sampled: Bool = sampled[party.rows_in_label_table]

    def root_sums(self, nodes: OwnerNodes) -> Float64:
        session = self._party.session
        opening = m.OpenTree(self._tree, to_bitmap(self._sampled), nodes.columns.tolist())
        rows = self.rows_in_label_table[self._sampled]
        if session.ask(opening, m.TreeOpened).rows != len(rows):
            raise MalformedMessage(f"{session.peer} counts other rows in the tree than were sampled")
        send_ciphertexts(session, self._encrypted, rows, m.Gradients, m.GradientsTaken)
        sums = session.ask(m.SumRoot(), m.LevelGrown).sums
        return self._decrypted(sums, nodes, {0: len(rows)})[0]

    def level(self, nodes: OwnerNodes, request: LevelRequest) -> LevelReply:
        session = self._party.session
        moves = [m.Directions(move.node, move.left, to_bitmap(move.go_left)) for move in request.directions]
        grown = session.ask(m.GrowLevel(request.splits, moves, request.siblings), m.LevelGrown)
        if [move.node for move in grown.directions] != [split.node for split in request.splits]:
            raise MalformedMessage(f"{session.peer} gave directions for other nodes than it was asked")
        directions = {
            move.node: from_bitmap(move.go_left, len(nodes.rows[move.node])) for move in grown.directions
        }
        rows = request.summed(nodes.rows, directions)
        counts = {child: len(rows_of_child) for child, rows_of_child in rows.items()}
        sums = self._decrypted(grown.sums, nodes, counts)
        withheld = frozenset(
            child.node for child in grown.sums if not child.ciphertexts and counts[child.node]
        )
        self._party.withheld += len(withheld)
        return LevelReply(directions, sums, withheld)

    def _decrypted(
        self, sums: list[m.NodeSums], nodes: OwnerNodes, counts: dict[int, int]
    ) -> dict[int, Float64]:
        """Return float64 [bins, 2] by node; ``counts`` has the nodes asked for and their sampled rows."""
        peer = self._party.session.peer
        if [node.node for node in sums] != list(counts):
            raise MalformedMessage(f"{peer} summed other nodes than it was asked")
        n_sums = int(self.n_bins[nodes.columns].sum())
        decrypted: dict[int, Float64] = {}
        for node in sums:
            count = counts[node.node]
            if not node.ciphertexts and (node.node or not count):  # no row there, or the owner withholds them
                decrypted[node.node] = np.zeros((n_sums, 2))
            else:
                opened = self._party.opener.open(peer, node.ciphertexts, n_sums, count)
                decrypted[node.node] = np.stack(opened, axis=1)
        return decrypted
