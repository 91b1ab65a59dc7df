"""What a feature party's workers need from wherever it keeps its files."""

from __future__ import annotations

import hmac
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vfl.aggregation.journal import JournalStore
from vfl.errors import NotAligned
from vfl.model.part import FeaturePart
from vfl.psi.alignment import Alignment


class FeatureStore(JournalStore, Protocol):
    """Storage of a feature party: its data, alignments, parts of models and journals.

    Attributes:
        memory_limit: bytes of one job's ciphertexts that may be in memory; where a tree has more they go to
            `scratch`.
    """

    memory_limit: int

    def load_alignment(self, alignment_id: str) -> Alignment:
        """Raises StateError where there is none of that name."""
        ...

    def aligned_columns(self, alignment: Alignment) -> tuple[list[str], npt.NDArray[np.float32]]:
        """Names [f] and values float32 [aligned rows, f], rows in the order of the alignment."""
        ...

    def save_part(self, model_id: str, part: FeaturePart) -> None: ...

    def load_part(self, model_id: str) -> FeaturePart:
        """Raises StateError where there is none of that name."""
        ...

    def scratch(self, rows: int, limbs: int) -> npt.NDArray[np.uint64]:
        """A new array ``[rows, limbs]`` on disk, deleted with its last reference; raises StateError."""
        ...


def open_rows(
    store: FeatureStore, alignment_id: str, fingerprint: bytes
) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Return names and columns of an alignment on whose ordered rows both parties agree.

    Raises:
        NotAligned: the parties' ordered rows differ.
        StateError: no such alignment here.
    """
    alignment = store.load_alignment(alignment_id)
    if not hmac.compare_digest(alignment.fingerprint, fingerprint):
        raise NotAligned("the ordered rows of the two parties differ: align again")
    return store.aligned_columns(alignment)
