"""Feature parties held in memory and joined to a label party by real bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from vfl.aggregation.row_order import common_order
from vfl.algorithms.descriptor import Grant
from vfl.algorithms.trees.disclosure_control import DisclosurePolicy
from vfl.algorithms.trees.feature_party import NO_POLICY
from vfl.errors import StateError, VflError
from vfl.jobs import JOB_TYPES, PROTOCOL
from vfl.linear_model.evidence import Binning
from vfl.model.part import FeaturePart
from vfl.psi.alignment import Alignment
from vfl.wire.channel import LoopbackChannel
from vfl.wire.codec import encode
from vfl.wire.message import Message
from vfl.wire.session import FeatureSession, LabelSession, refusal


class MemoryParty:
    """A feature party whose store is its memory; `receive` is what its server would do with a frame."""

    memory_limit = 2**30

    def __init__(
        self,
        name: str,
        frame: pd.DataFrame,
        *,
        show_columns: bool = True,
        min_rows: int = 1,
        directions: int | None = None,
        policy: DisclosurePolicy = NO_POLICY,
    ) -> None:
        self.name = name
        self.frame = frame
        self.parts: dict[str, FeaturePart] = {}
        self.drafts: dict[str, list[bytes]] = {}
        self.binnings: dict[str, Binning] = {}
        self.alignments: dict[str, Alignment] = {}
        self.frames_seen: list[bytes] = []
        self._grant = Grant(
            peer="bank",
            store=self,
            terms={"node_rows": policy.node_rows, "histogram_rows": policy.histogram_rows},
            limits={
                "min_rows": policy.vector_rows,
                "max_histograms": policy.histograms,
                "min_bin_rows": min_rows,
                "max_directions": directions,
            },
            show_columns=show_columns,
        )
        self._jobs: dict[str, tuple[FeatureSession, Callable[[Message], Message]]] = {}

    def load_alignment(self, alignment_id: str) -> Alignment:
        if alignment_id not in self.alignments:
            raise StateError("there is no such alignment")
        return self.alignments[alignment_id]

    def aligned_columns(self, alignment: Alignment):
        rows = self.frame.loc[alignment.identifiers]
        return list(self.frame.columns), rows.to_numpy(np.float32)

    def save_part(self, model_id: str, part: FeaturePart) -> None:
        self.parts[model_id] = part

    def load_part(self, model_id: str) -> FeaturePart:
        if model_id not in self.parts:
            raise StateError("there is no such model")
        return self.parts[model_id]

    def start_journal(self, name: str, head: bytes) -> None:
        self.drafts[name] = [head]

    def append_journal(self, name: str, entry: bytes) -> None:
        self.drafts[name].append(entry)

    def load_journal(self, name: str) -> list[bytes]:
        return list(self.drafts.get(name, []))

    def save_binning(self, binning_id: str, binning: Binning) -> None:
        self.binnings[binning_id] = binning

    def load_binning(self, binning_id: str) -> Binning:
        if binning_id not in self.binnings:
            raise StateError("there is no such binning")
        return self.binnings[binning_id]

    def receive(self, frame: bytes) -> bytes:
        self.frames_seen.append(frame)
        envelope = None
        try:
            envelope = PROTOCOL.decode_request(frame)
            if envelope.job not in self._jobs:
                self._jobs[envelope.job] = (
                    FeatureSession(PROTOCOL, envelope.job),
                    self._worker(envelope.body),
                )
            session, handle = self._jobs[envelope.job]
            return encode(session.answer(envelope, handle))
        except VflError as error:
            return encode(refusal(error, envelope))

    def _worker(self, opening: Message) -> Callable[[Message], Message]:
        return JOB_TYPES[type(opening)].worker(self._grant)


class Consortium:
    """A label party's rows and feature parties in memory.

    Args:
        label: the label party's columns, indexed by customer.
        parties: each feature party's columns, indexed by customer; other customers and orders are fine.
    """

    def __init__(self, label: pd.DataFrame, parties: dict[str, pd.DataFrame], **options) -> None:
        self.label = label
        self.parties = {name: MemoryParty(name, frame, **options) for name, frame in parties.items()}
        self.channel = LoopbackChannel({name: party.receive for name, party in self.parties.items()})
        self.alignments = self.align(label, "rows")

    def align(self, label: pd.DataFrame, alignment_id: str) -> dict[str, Alignment]:
        """Fix an alignment of these rows at both sides, in one order that is nobody's own."""
        alignments = {}
        secret = [label.index[i] for i in np.random.default_rng(0).permutation(len(label))]
        for number, (name, party) in enumerate(self.parties.items()):
            theirs = set(party.frame.index)
            places = [place for place, customer in enumerate(secret) if customer in theirs]
            identifiers = [secret[place] for place in places]
            key = bytes([number]) * 32
            party.alignments[alignment_id] = Alignment.fix(alignment_id, "bank", "left", key, identifiers)
            alignments[name] = Alignment.fix(alignment_id, name, "left", key, identifiers, places)
        return alignments

    def sessions(self) -> dict[str, LabelSession]:
        return {name: LabelSession(self.channel, name) for name in self.parties}

    def order(self) -> np.ndarray:
        """The common order of the label party's rows, in which XGBoost makes the same cut points."""
        place = {customer: row for row, customer in enumerate(self.label.index)}
        known = [np.array([place[c] for c in a.identifiers]) for a in self.alignments.values()]
        return common_order(len(self.label), known, list(self.alignments.values()))

    def pooled(self, label: pd.DataFrame | None = None) -> pd.DataFrame:
        """The table that nobody has: every column by customer, missing where a party knows nothing."""
        pooled = self.label if label is None else label
        for name, party in self.parties.items():
            pooled = pooled.join(party.frame.add_prefix(f"{name}."), how="left")
        return pooled
