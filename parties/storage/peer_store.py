"""The files of a feature party for one label party: alignments, binnings and parts of models.

An alignment names customers and a part says how a model uses columns, so every file is 0600 in a 0700
directory and written whole or not at all. A peer reaches only what is under its own name.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from parties.config import Config
from parties.config.files import append_line, private_directory, read_lines, write_private
from parties.data.rows import Source
from vfl.aggregation.journal import binning_journal
from vfl.algorithms.registry import ALGORITHMS, to_json
from vfl.errors import NotAligned, StateError
from vfl.linear_model import evidence
from vfl.linear_model.evidence import Binning
from vfl.model.part import FeaturePart
from vfl.psi.alignment import Alignment

Kind = Literal["alignment", "binning", "part"]

FILES: dict[Kind, tuple[str, str]] = {
    "alignment": ("alignments", ".alignment"),
    "binning": ("binnings", ".json"),
    "part": ("parts", ".json"),
}
"""By kind of file: its directory, and how its name ends."""


class PeerStore:
    """Saves and loads the files of one label party; the ``store`` of the library's workers.

    Args:
        columns: those that the job's contract covers; all by default.
    """

    def __init__(
        self, config: Config, peer: str, source: Source, columns: Sequence[str] | None = None
    ) -> None:
        root = config.path(config.store.directory)
        self._root, self._peer = root, peer
        self._journals = root / "journals" / peer
        self._scratch = root / "scratch"
        self._source = source
        self._columns = columns
        self.memory_limit = config.server.memory_limit_mb * 2**20

    def has(self, kind: Kind, name: str) -> bool:
        return self._file(kind, name).exists()

    def is_used(self, kind: Kind, name: str) -> bool:
        """Return whether a job ever used it: the peer has it too, and its name is taken."""
        return self._file(kind, name).with_suffix(".used").exists()

    def use(self, kind: Kind, name: str) -> None:
        """Take a name for good; raises StateError where that cannot be written."""
        if not self.is_used(kind, name):
            write_private(self._file(kind, name).with_suffix(".used"), b"")
        journals = {"part": name, "binning": binning_journal(name)}
        if kind in journals:  # the job cannot be done again any more
            self._journal(journals[kind]).unlink(missing_ok=True)

    def save_alignment(self, alignment: Alignment) -> None:
        """Save an alignment; raises StateError where one of its name is in use."""
        self._save("alignment", alignment.id, alignment.to_bytes())

    def load_alignment(self, alignment_id: str) -> Alignment:
        """Raises StateError where there is none of that name."""
        return Alignment.from_bytes(self._load("alignment", alignment_id, "align again"))

    def aligned_columns(self, alignment: Alignment) -> tuple[list[str], npt.NDArray[np.float32]]:
        """Return names and values of this party's columns that the contract covers; see `Source.aligned`.

        Raises:
            NotAligned: a column that the job is about is not in the data any more.
        """
        names, columns = self._source.aligned(alignment)
        if self._columns is None or list(self._columns) == names:
            return names, columns
        if not {*self._columns} <= {*names}:
            raise NotAligned("the columns of this party are not those of the contract; make a new one")
        return list(self._columns), columns[:, [names.index(name) for name in self._columns]]

    def save_binning(self, binning_id: str, binning: Binning) -> None:
        """Save a binning; raises StateError where one of its name is in use."""
        self._save("binning", binning_id, evidence.to_json(binning))

    def load_binning(self, binning_id: str) -> Binning:
        """Raises StateError where there is none of that name."""
        return evidence.own_binning(self._load("binning", binning_id, "bin again"))

    def save_part(self, model_id: str, part: FeaturePart) -> None:
        """Save a part; raises StateError where one of its model is in use."""
        self._save("part", model_id, to_json(part))

    def load_part(self, model_id: str) -> FeaturePart:
        """Raises StateError where there is none of that name."""
        return ALGORITHMS.feature_part(self._load("part", model_id, "train again"))

    def start_journal(self, name: str, head: bytes) -> None:
        """Raises StateError where it cannot be written."""
        write_private(self._journal(name), head + b"\n")

    def append_journal(self, name: str, entry: bytes) -> None:
        """Raises StateError where it cannot be written."""
        append_line(self._journal(name), entry)

    def load_journal(self, name: str) -> list[bytes]:
        """Return its lines, none where there is no journal of that name."""
        try:
            return read_lines(self._journal(name))
        except FileNotFoundError:
            return []

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

    def _save(self, kind: Kind, name: str, content: bytes) -> None:
        """Write a file; one that no job used is replaced: its peer was broken off before it had its own."""
        if self.is_used(kind, name):
            raise StateError(f"{kind} {name} exists already; choose another name")
        write_private(self._file(kind, name), content)

    def _load(self, kind: Kind, name: str, remedy: str) -> bytes:
        what = f"the part of model {name}" if kind == "part" else f"{kind} {name}"
        return read_stored(self._file(kind, name), what, remedy)

    def _file(self, kind: Kind, name: str) -> Path:
        directory, ending = FILES[kind]
        return self._root / directory / self._peer / f"{name}{ending}"

    def _journal(self, name: str) -> Path:
        return self._journals / f"{name}.journal"


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
