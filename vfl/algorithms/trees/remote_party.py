"""A feature party as the grower sees it: an owner of columns, at the far end of a conversation."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from vfl.aggregation.bitmap import from_bitmap, to_bitmap
from vfl.aggregation.encrypted_rows import CHUNK_ROWS, EncryptedRows
from vfl.algorithms.trees import messages as m
from vfl.algorithms.trees.columns import Gradients, LevelReply, LevelRequest, NodeRows, OwnSplit
from vfl.algorithms.trees.disclosure_control import DisclosureReport
from vfl.arrays import Float64, Integers
from vfl.crypto.packing import GradientPacking
from vfl.crypto.paillier import Decryptor, PublicKey, check_ciphertexts
from vfl.errors import MalformedMessage
from vfl.trace import span
from vfl.wire.session import LabelSession


class RemoteColumns:
    """A feature party's columns, as a `vfl.algorithms.trees.columns.ColumnOwner` for the grower.

    Args:
        session: an open conversation; `open` sends its first message.
        known: int64, by the party's own row the label party's row.
        public_key, decryptor, packing: of the job.
    """

    def __init__(
        self,
        session: LabelSession,
        known: Integers,
        public_key: PublicKey,
        decryptor: Decryptor,
        packing: GradientPacking,
    ) -> None:
        self.n_bins: Integers = np.zeros(0, dtype=np.int64)
        self.known = known
        self.splits: list[OwnSplit] = []
        self.shown: list[str] = []
        self._coarser = self._withheld = 0
        self._session = session
        self._public_key, self._decryptor, self._packing = public_key, decryptor, packing

    def open(self, request: m.OpenTraining) -> None:
        """Open the job and learn how many bins each column has."""
        opened = self._session.ask(request, m.TrainingOpened)
        self.n_bins = np.array([column.bins for column in opened.columns], dtype=np.int64)
        self.shown = [column.name for column in opened.columns]
        self._coarser = opened.coarser

    @property
    def guarded(self) -> DisclosureReport:
        """What the party's guard changed in this job so far."""
        return DisclosureReport(self._coarser, self._withheld)

    @property
    def names(self) -> list[str]:
        """Names of the columns over all parties: ``party.name``, or ``party.number`` where not shown."""
        return [f"{self._session.peer}.{name or number}" for number, name in enumerate(self.shown)]

    def close(self, trees: int) -> None:
        """End the job; the party keeps its splits of the first ``trees`` trees."""
        self._session.ask(m.CloseTraining(trees), m.TrainingClosed)

    def next_tree(self, tree: int, encrypted: EncryptedRows) -> None:
        """Say which tree `open_tree` will open, and where its ciphertexts come from."""
        self._tree, self._encrypted = tree, encrypted

    def open_tree(self, gradients: Gradients, features: Integers) -> Float64:
        if not len(features):
            return np.zeros((0, 2))
        sampled = gradients.sampled[self.known]
        self._nodes = NodeRows(len(self.known), sampled)
        self._n_sums = int(self.n_bins[features].sum())
        request = m.OpenTree(self._tree, to_bitmap(sampled), features.tolist())
        rows = self.known[sampled]
        if self._session.ask(request, m.TreeOpened).rows != len(rows):
            raise MalformedMessage(f"{self._session.peer} counts other rows in the tree than were sampled")
        with ThreadPoolExecutor(1) as sender:  # one chunk is on its way while the next is encrypted
            sent = None
            for start in range(0, len(rows), CHUNK_ROWS):
                ciphertexts = self._encrypted.of(rows[start : start + CHUNK_ROWS])
                message = m.Gradients(start, ciphertexts.astype("<u8", copy=False).tobytes())
                if sent:
                    sent.result()
                sent = sender.submit(self._session.ask, message, m.GradientsTaken)
            if sent:
                sent.result()
        return self._decrypted(self._session.ask(m.SumRoot(), m.LevelGrown), [0])[0]

    def level(self, request: LevelRequest) -> LevelReply:
        message = m.GrowLevel(
            [m.Split(s.split, s.node, s.left, s.feature, s.bin, s.default_left) for s in request.splits],
            [m.Directions(d.node, d.left, to_bitmap(d.go_left)) for d in request.directions],
            request.siblings,
        )
        grown = self._session.ask(message, m.LevelGrown)
        if [d.node for d in grown.directions] != [s.node for s in request.splits]:
            raise MalformedMessage(f"{self._session.peer} gave directions for other nodes than it was asked")
        directions = {d.node: from_bitmap(d.go_left, len(self._nodes[d.node])) for d in grown.directions}
        for split in request.splits:
            self._nodes.split(split.node, split.left, directions[split.node])
            self.splits.append(split)
        for direction in request.directions:
            self._nodes.split(direction.node, direction.left, direction.go_left)
        children = [self._nodes.smaller_child(left) for left in request.siblings]
        withheld = frozenset(
            sums.node for sums in grown.sums if not sums.ciphertexts and self._counts(sums.node)
        )
        self._withheld += len(withheld)
        return LevelReply(directions, self._decrypted(grown, children), withheld)

    def _decrypted(self, grown: m.LevelGrown, nodes: list[int]) -> dict[int, Float64]:
        if [sums.node for sums in grown.sums] != nodes:
            raise MalformedMessage(f"{self._session.peer} summed other nodes than it was asked")
        return {sums.node: self._node_sums(sums) for sums in grown.sums}

    def _counts(self, node: int) -> int:
        return len(self._nodes.sampled(node))

    def _node_sums(self, sums: m.NodeSums) -> Float64:
        count = self._counts(sums.node)
        if not sums.ciphertexts and (sums.node or not count):  # no row is there, or the owner withholds them
            return np.zeros((self._n_sums, 2))
        slots = self._packing.slots_per_ciphertext(count, self._public_key.bits)
        limbs = self._public_key.limbs
        if len(sums.ciphertexts) != 8 * limbs * -(-self._n_sums // slots):
            raise MalformedMessage(f"{self._session.peer} sent another number of sums than it has bins")
        ciphertexts = np.frombuffer(sums.ciphertexts, dtype="<u8").reshape(-1, limbs)
        with span("decrypt"):
            check_ciphertexts(self._public_key, ciphertexts)
            plain = self._decryptor.decrypt(ciphertexts)
        with span("unpack"):
            slot_bits = self._packing.slot_bits(count)
            G, H = self._packing.unpack(plain, slots, slot_bits, self._n_sums, count)
        return np.stack([G, H], axis=1)
