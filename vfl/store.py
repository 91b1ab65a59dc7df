"""What a feature party's workers need from wherever it keeps its files."""

from __future__ import annotations

import hmac
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vfl.draft import DraftStore
from vfl.errors import NotAligned
from vfl.psi.alignment import Alignment
from vfl.scorecard.model import Binning
from vfl.scoring.kinds import AnyFeatureShare


class FeatureStore(DraftStore, Protocol):
    """What a feature party keeps, wherever it keeps it.

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

    def save_share(self, model_id: str, share: AnyFeatureShare) -> None: ...

    def load_share(self, model_id: str) -> AnyFeatureShare:
        """Raises StateError where there is none of that name."""
        ...

    def scratch(self, rows: int, limbs: int) -> npt.NDArray[np.uint64]:
        """A new array ``[rows, limbs]`` on disk, which is gone when it is let go; raises StateError."""
        ...


class BinningStore(FeatureStore, Protocol):
    """A store that keeps binnings as well."""

    def save_binning(self, binning_id: str, binning: Binning) -> None: ...

    def load_binning(self, binning_id: str) -> Binning:
        """Raises StateError where there is none of that name."""
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
