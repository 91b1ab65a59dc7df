"""What a party keeps in its own files: alignments and shares of models.

An alignment names customers and a share is part of a model, so every file is 0600 in a 0700 directory
and written whole or not at all. What a peer asks for is looked up under that peer's name only.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from parties.config import Config
from parties.files import private_directory, write_private
from parties.rows import Source
from vfl.errors import NotAligned, StateError
from vfl.model import FeatureShare, feature_share, to_json
from vfl.psi.alignment import Alignment


class PeerStore:
    """What a feature party keeps for one label party; the ``store`` of the library's workers.

    Args:
        columns: those that the job's contract covers; all by default.
    """

    def __init__(
        self, config: Config, peer: str, source: Source, columns: Sequence[str] | None = None
    ) -> None:
        root = config.path(config.store.directory)
        self._alignments = root / "alignments" / peer
        self._shares = root / "shares" / peer
        self._scratch = root / "scratch"
        self._source = source
        self._columns = columns
        self.memory_limit = config.server.memory_limit_mb * 2**20

    def has_alignment(self, alignment_id: str) -> bool:
        return self._alignment(alignment_id).exists()

    def save_alignment(self, alignment: Alignment) -> None:
        """Raises StateError where there is one of that name."""
        write_new(self._alignment(alignment.id), alignment.to_bytes(), f"alignment {alignment.id}")

    def load_alignment(self, alignment_id: str) -> Alignment:
        """Raises StateError where there is none of that name."""
        return Alignment.from_bytes(
            read_stored(self._alignment(alignment_id), f"alignment {alignment_id}", "align again")
        )

    def aligned_columns(self, alignment: Alignment) -> tuple[list[str], npt.NDArray[np.float32]]:
        """Return names and values of this party's columns that the contract covers; see `Source.aligned`.

        Raises:
            NotAligned: a column that the job is about is not in the data any more.
        """
        names, columns = self._source.aligned(alignment)
        if self._columns is None or list(self._columns) == names:
            return names, columns
        if not {*self._columns} <= {*names}:
            raise NotAligned(
                "the columns of this party are not those that were agreed on; make a new contract"
            )
        return list(self._columns), columns[:, [names.index(name) for name in self._columns]]

    def has_share(self, model_id: str) -> bool:
        return self._share(model_id).exists()

    def save_share(self, model_id: str, share: FeatureShare) -> None:
        """Raises StateError where there is one of that name."""
        write_new(self._share(model_id), to_json(share), f"the share of model {model_id}")

    def load_share(self, model_id: str) -> FeatureShare:
        """Raises StateError where there is none of that name."""
        return feature_share(
            read_stored(self._share(model_id), f"the share of model {model_id}", "train again")
        )

    def scratch(self, rows: int, limbs: int) -> npt.NDArray[np.uint64]:
        """Return an array ``uint64[rows, limbs]`` in a file that only this process can reach.

        The file has no name, so that it is gone with the array or the process, and all of its room is taken
        at once: a disk that fills up later would end the process.

        Raises:
            StateError: the disk has no room.
        """
        size = 8 * rows * limbs
        with tempfile.TemporaryFile(dir=private_directory(self._scratch)) as file:
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                raise StateError(
                    f"no room for {size / 1e9:.1f} GB of ciphertexts in {self._scratch} ({error.strerror}); "
                    "free some, or raise [server] memory_limit_mb"
                ) from None
            # The mapping outlives the open file.
            return np.memmap(file, dtype=np.uint64, mode="r+", shape=(rows, limbs))

    def _alignment(self, alignment_id: str) -> Path:
        return self._alignments / f"{alignment_id}.alignment"

    def _share(self, model_id: str) -> Path:
        return self._shares / f"{model_id}.json"


def write_new(path: Path, content: bytes, what: str) -> None:
    """Write a file that must not be there yet; raises StateError."""
    try:
        write_private(path, content, replace=False)
    except FileExistsError:
        raise StateError(f"{what} exists already; choose another name") from None


def read_stored(path: Path, what: str, remedy: str) -> bytes:
    """Return the content of a file of this party; raises StateError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise StateError(f"{what} is not here; {remedy}") from None
