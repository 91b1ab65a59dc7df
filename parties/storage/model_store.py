"""The files of a label party: alignments with every peer, binnings, parts of models, and their records."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from parties.config import Config
from parties.config.files import writing
from parties.storage.peer_store import read_stored, write_new
from vfl.algorithms.registry import ALGORITHMS, to_json
from vfl.errors import StateError
from vfl.model.model_type import ModelType
from vfl.model.part import LabelPart
from vfl.psi.alignment import Alignment

RECORD = "record.json"
"""Written last: an alignment, binning or model without it is incomplete and does not count."""

PART, BANK_ONLY = "part.json", "bank_only.json"
"""The label party's part of a model, and the whole of the model that it trained alone beside it."""

BINNING = "binning.json"


class AlignmentRecord(Struct, frozen=True, kw_only=True):
    """How an alignment was made.

    Attributes:
        alignment: its name.
        mode: ``left`` or ``inner``.
        source: the data source that was aligned.
        rows: usable rows of this party.
        common: for each peer, the rows that it knows.
        population: SHA-256 over this party's sorted canonical keys.
        created: UTC.
    """

    alignment: str
    mode: Literal["left", "inner"]
    source: str
    rows: int
    common: dict[str, int]
    population: str
    created: str


class BinningRecord(Struct, frozen=True, kw_only=True):
    """How columns were binned.

    Attributes:
        binning, alignment: their names.
        rows, validation_fraction: rows that were counted, and the fraction left out for validation.
        seconds: wall time.
        created: UTC.
    """

    binning: str
    alignment: str
    rows: int
    validation_fraction: float
    seconds: float
    created: str


class ModelRecord(Struct, frozen=True, kw_only=True):
    """How a model was trained.

    Attributes:
        model, alignment: their names.
        algorithm: name of the algorithm that trained it.
        binning: the binning whose weights of evidence the columns were coded in, if any.
        rows, validation_rows: training rows, and rows left out for validation.
        validation_fraction: as the caller chose it.
        metric: name of the metric; ``history`` has its value on the validation rows after each round.
        facts: what its model type records, see `vfl.model.model_type.ModelType`.
        seconds: wall time of training with the peers.
        digests: by file of the model, the SHA-256 of its content.
        created: UTC.
    """

    model: str
    alignment: str
    algorithm: str
    binning: str | None = None
    rows: int
    validation_rows: int
    validation_fraction: float
    metric: str
    history: list[float]
    facts: dict[str, Any]
    seconds: float
    digests: dict[str, str] = {}
    created: str


def headline(record: ModelRecord) -> str:
    """Return what a model is in a few words."""
    kind = _model_type(record)
    return kind.headline(msgspec.convert(record.facts, kind.facts), record.history)


def details(record: ModelRecord) -> list[str]:
    """Return the details of a model for people, in lines."""
    kind = _model_type(record)
    return kind.details(msgspec.convert(record.facts, kind.facts), record.history)


def _model_type(record: ModelRecord) -> ModelType:
    training = ALGORITHMS.named(record.algorithm).training
    if training is None:
        raise StateError(f"model {record.model} is damaged: {record.algorithm} trains no models")
    return training.model_type


_Record = TypeVar("_Record", AlignmentRecord, BinningRecord, ModelRecord)


class ModelStore:
    """The label party's files under ``[store] directory``; ``models`` has a directory for each model."""

    def __init__(self, config: Config) -> None:
        self.root = config.path(config.store.directory)
        self._alignments = self.root / "alignments"
        self._binnings = self.root / "binnings"
        self.models = self.root / "models"

    def is_free(self, kind: Literal["alignments", "binnings", "models"], name: str) -> bool:
        """Return whether nothing of a kind exists under a name, not even in part."""
        return not (self.root / kind / name).exists()

    def check_new_alignment(self, name: str) -> None:
        """Raises StateError where the name is taken, before any work is done."""
        _check_new(self._alignments / name, f"alignment {name}")

    def save_alignment(self, record: AlignmentRecord, alignments: dict[str, Alignment]) -> None:
        """Save one alignment with every peer under one name."""
        directory = self._alignments / record.alignment
        _remove_unfinished(directory)
        for peer, alignment in alignments.items():
            write_new(directory / f"{peer}.alignment", alignment.to_bytes(), f"alignment {alignment.id}")
        write_new(directory / RECORD, msgspec.json.encode(record), f"alignment {record.alignment}")

    def load_alignment(self, name: str) -> tuple[AlignmentRecord, dict[str, Alignment]]:
        """Return an alignment by peer; raises StateError where there is none."""
        what = f"alignment {name}"
        directory = self._alignments / name
        record = _read(directory / RECORD, AlignmentRecord, what, "see `vfl align`")
        parts = {
            peer: read_stored(directory / f"{peer}.alignment", what, "align again") for peer in record.common
        }
        return record, {peer: Alignment.from_bytes(part) for peer, part in parts.items()}

    def latest_alignment(self, source: str) -> str:
        """Return the name of the newest alignment of a data source; raises StateError."""
        fitting = [record for record in self._alignment_records() if record.source == source]
        if not fitting:
            raise StateError("the data is not aligned yet; run `vfl align` first")
        return max(fitting, key=lambda record: record.created).alignment

    def alignment_of(self, population: str, peers: Iterable[str]) -> str | None:
        """Return the name of the newest left alignment of a population with all of some peers, if any.

        Args:
            population: digest of its keys, as in `AlignmentRecord`.
        """
        fitting = [
            record
            for record in self._alignment_records()
            if record.mode == "left" and record.population == population and {*peers} <= {*record.common}
        ]
        return max(fitting, key=lambda record: record.created).alignment if fitting else None

    def fingerprints(self, peer: str, count: int) -> dict[str, bytes]:
        """Return the fingerprints of the newest alignments with a peer, by name; raises StateError."""
        records = [record for record in self._alignment_records() if peer in record.common]
        newest = sorted(records, key=lambda record: record.created)[-count:]
        return {
            record.alignment: self.load_alignment(record.alignment)[1][peer].fingerprint for record in newest
        }

    def check_new_binning(self, name: str) -> None:
        """Raises StateError where the name is taken, before any work is done."""
        _check_new(self._binnings / name, f"binning {name}")

    def save_binning(self, record: BinningRecord, content: bytes) -> None:
        """Save the label party's part of a binning."""
        directory, what = self._binnings / record.binning, f"binning {record.binning}"
        _remove_unfinished(directory)
        write_new(directory / BINNING, content, what)
        write_new(directory / RECORD, msgspec.json.encode(record), what)

    def load_binning(self, name: str) -> tuple[BinningRecord, bytes]:
        """Return a binning as JSON; raises StateError where there is none."""
        what, remedy = f"binning {name}", "make one with `vfl bin`"
        record = _read(self._binnings / name / RECORD, BinningRecord, what, remedy)
        return record, read_stored(self._binnings / name / BINNING, what, remedy)

    def check_new_model(self, name: str) -> None:
        """Raises StateError where the name is taken, before any work is done."""
        _check_new(self.models / name, f"model {name}")

    def save_model(self, record: ModelRecord, part: LabelPart, bank_only: LabelPart) -> None:
        """Save a model's part and, beside it, the model that the label party trained alone."""
        directory, what = self.models / record.model, f"model {record.model}"
        _remove_unfinished(directory)
        files = {PART: to_json(part), BANK_ONLY: to_json(bank_only)}
        for name, content in files.items():
            write_new(directory / name, content, what)
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        record = msgspec.structs.replace(record, digests=digests)
        write_new(directory / RECORD, msgspec.json.encode(record), what)

    def load_model(self, name: str) -> tuple[ModelRecord, LabelPart]:
        """Return a model; raises StateError where there is none, or its part is not the one trained."""
        return self.load_record(name), self._load_part(name, PART)

    def load_bank_only(self, name: str) -> LabelPart:
        """Return the model that the label party trained alone beside a joint one; raises as `load_model`."""
        return self._load_part(name, BANK_ONLY)

    def has_model(self, name: str) -> bool:
        return (self.models / name / RECORD).exists()

    def load_record(self, name: str) -> ModelRecord:
        """Return how a model was trained; raises StateError where there is none."""
        return _read(self.models / name / RECORD, ModelRecord, f"model {name}", self._known_models())

    def _load_part(self, name: str, file: str) -> LabelPart:
        digests = self.load_record(name).digests
        content = read_stored(self.models / name / file, f"model {name}", "restore it from a copy")
        if hashlib.sha256(content).hexdigest() != digests.get(file):
            raise StateError(f"model {name} is not as it was trained; restore its {file} from a copy")
        return ALGORITHMS.label_part(content)

    def _alignment_records(self) -> Iterator[AlignmentRecord]:
        for path in self._alignments.glob(f"*/{RECORD}"):
            yield _read(path, AlignmentRecord, "an alignment", "align again")

    def _known_models(self) -> str:
        names = sorted(path.parent.name for path in self.models.glob(f"*/{RECORD}"))
        return f"known are {', '.join(names)}" if names else "train one with `vfl train`"


def _check_new(directory: Path, what: str) -> None:
    if (directory / RECORD).exists():
        raise StateError(f"{what} exists already; choose another name")


def _remove_unfinished(directory: Path) -> None:
    """Remove what a broken-off save left, so that it can be saved again."""
    if directory.exists() and not (directory / RECORD).exists():
        with writing(directory):
            shutil.rmtree(directory)


def _read(path: Path, kind: type[_Record], what: str, remedy: str) -> _Record:
    try:
        return msgspec.json.decode(read_stored(path, what, remedy), type=kind)
    except msgspec.MsgspecError:
        raise StateError(f"{what} is damaged; restore {path} from a copy") from None
