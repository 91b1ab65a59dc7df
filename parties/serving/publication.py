"""The store of publications: numbered versions of how a model is served, never changed once written."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from parties.config import Config
from parties.serving.schemas import Fallback, PopulationCard, ThresholdCard
from parties.storage.model_store import ModelStore
from parties.storage.peer_store import read_stored, write_new
from vfl.errors import StateError
from vfl.scoring.platt_scaling import PlattScaling


class Parity(Struct, frozen=True, kw_only=True):
    """A sample that was scored in batch, online and by another library before publishing, all alike.

    Attributes:
        rows: customers of the sample.
        unknown: by feature party, those of them that it does not know.
    """

    rows: int
    unknown: dict[str, int]


class Publication(Struct, frozen=True, kw_only=True, tag="publication"):
    """How a model is served.

    Attributes:
        model, number: the name, and the version from 1.
        created: UTC.
        alignment: of the customers that can be scored by key.
        source: their file; None for the rows of ``[data]``.
        population: what may be told of them.
        threshold, fallback: of decisions, and of what happens where feature parties are absent.
        link: from margins of the bank-only model to the joint scale.
        reasons: by feature party, names under which contributions may be told, as it said at publishing.
        metrics, metrics_on: of the joint scores, and on which rows.
        parity: what was compared.
    """

    model: str
    number: int
    created: str
    alignment: str
    source: str | None
    population: PopulationCard
    threshold: ThresholdCard
    fallback: Fallback
    link: PlattScaling
    reasons: dict[str, list[str]]
    metrics: dict[str, float]
    metrics_on: Literal["validation", "training"]
    parity: Parity


class Withdrawal(Struct, frozen=True, kw_only=True, tag="withdrawal"):
    """From this version on the model is not served, until it is published again."""

    model: str
    number: int
    created: str


class Publications:
    """The publications of all models, ``models/MODEL/publications/NNNN.json``."""

    def __init__(self, config: Config) -> None:
        self._models = ModelStore(config).models

    def newest(self) -> dict[str, int]:
        """Return the number of the newest version of each model that was ever published."""
        numbers: dict[str, int] = {}
        for path in self._models.glob("*/publications/*.json"):
            model = path.parent.parent.name
            if path.stem.isdigit():
                numbers[model] = max(numbers.get(model, 0), int(path.stem))
        return numbers

    def load(self, model: str, number: int) -> Publication | Withdrawal:
        """Return a version; raises StateError where it is not there or damaged."""
        what = f"publication {number} of model {model}"
        content = read_stored(self._path(model, number), what, "publish the model again")
        try:
            return msgspec.json.decode(content, type=Publication | Withdrawal)
        except msgspec.MsgspecError:
            raise StateError(f"{what} is damaged; publish the model again") from None

    def save(self, version: Publication | Withdrawal) -> None:
        """Keep a version; raises StateError where another one of its number came first."""
        content = msgspec.json.format(msgspec.json.encode(version), indent=2)
        what = f"publication {version.number} of model {version.model}"
        write_new(self._path(version.model, version.number), content, what)

    def _path(self, model: str, number: int) -> Path:
        return self._models / model / "publications" / f"{number:04}.json"
