"""What a party keeps in its own files: alignments and shares of models.

An alignment names customers and a share is part of a model, so every file is 0600 in a 0700 directory
and written whole or not at all. What a peer asks for is looked up under that peer's name only.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from parties.config import Config
from parties.files import append_line, private_directory, read_lines, write_private
from parties.rows import Source
from vfl.errors import StateError
from vfl.model import FeatureShare, feature_share, to_json
from vfl.psi.alignment import Alignment


class PeerStore:
    """What a feature party keeps for one label party; the ``store`` of the library's workers."""

    def __init__(self, config: Config, peer: str, source: Source) -> None:
        root = config.path(config.store.directory)
        self._alignments = root / "alignments" / peer
        self._shares = root / "shares" / peer
        self._drafts = root / "drafts" / peer
        self._scratch = root / "scratch"
        self._source = source
        self.memory_limit = config.server.memory_limit_mb * 2**20

    def has_alignment(self, alignment_id: str) -> bool:
        return self._alignment(alignment_id).exists()

    def is_used(self, alignment_id: str) -> bool:
        """Whether a job was ever opened on an alignment: the peer has it too, and its name is taken."""
        return self._alignment(alignment_id).with_suffix(".used").exists()

    def use_alignment(self, alignment_id: str) -> None:
        """Take the name of an alignment for good."""
        if not self.is_used(alignment_id):
            write_private(self._alignment(alignment_id).with_suffix(".used"), b"")

    def save_alignment(self, alignment: Alignment) -> None:
        """Keep an alignment, in place of one that was never used: the peer was broken off before it had it.

        Raises:
            StateError: one of that name is in use.
        """
        if self.is_used(alignment.id):
            raise StateError(f"alignment {alignment.id} exists already; choose another name")
        write_private(self._alignment(alignment.id), alignment.to_bytes())

    def load_alignment(self, alignment_id: str) -> Alignment:
        """Raises StateError where there is none of that name."""
        return Alignment.from_bytes(
            read_stored(self._alignment(alignment_id), f"alignment {alignment_id}", "align again")
        )

    def aligned_columns(self, alignment: Alignment) -> tuple[list[str], npt.NDArray[np.float32]]:
        """Return names and values of this party's columns; see `Source.aligned`."""
        return self._source.aligned(alignment)

    def has_share(self, model_id: str) -> bool:
        return self._share(model_id).exists()

    def save_share(self, model_id: str, share: FeatureShare) -> None:
        """Raises StateError where there is another one of that name."""
        content = to_json(share)
        if not (self.has_share(model_id) and self._share(model_id).read_bytes() == content):
            write_new(self._share(model_id), content, f"the share of model {model_id}")

    def load_share(self, model_id: str) -> FeatureShare:
        """Raises StateError where there is none of that name."""
        return feature_share(
            read_stored(self._share(model_id), f"the share of model {model_id}", "train again")
        )

    def start_draft(self, model_id: str, head: bytes) -> None:
        """Raises StateError where it cannot be written."""
        write_private(self._draft(model_id), head + b"\n")

    def append_draft(self, model_id: str, entry: bytes) -> None:
        """Raises StateError where it cannot be written."""
        append_line(self._draft(model_id), entry)

    def load_draft(self, model_id: str) -> list[bytes]:
        """Raises StateError where there is none of that name."""
        try:
            return read_lines(self._draft(model_id))
        except FileNotFoundError:
            raise StateError(f"nothing is kept here of a training of model {model_id}; train anew") from None

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

    def _draft(self, model_id: str) -> Path:
        return self._drafts / f"{model_id}.draft"

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
