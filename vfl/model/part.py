"""The parts of a model: each institution holds one, and none scores alone.

A part is a `msgspec.Struct` whose tag is the name of its kind of model. These protocols say what the parts of
all kinds have in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class FeaturePart(Protocol):
    """A feature party's part.

    Attributes:
        columns: names of the columns of the party's table that it takes.
        features: those whose contributions may be reported.
        outputs: how many numbers it says of a row at most; 0 where it is never asked.
    """

    @property
    def columns(self) -> list[str]: ...

    @property
    def features(self) -> list[str]: ...

    @property
    def outputs(self) -> int: ...


class PeerPart(Protocol):
    """A feature party's part as the label party knows it.

    Attributes:
        shown: by column its name, or "" where the party does not show it.
        outputs: as in `FeaturePart`.
    """

    @property
    def shown(self) -> list[str]: ...

    @property
    def outputs(self) -> int: ...


class LabelPart(Protocol):
    """The label party's part.

    Attributes:
        params: the parameters it was trained with.
        objective: XGBoost's name of what was minimised.
        columns: names of the columns of the label party's table that it takes.
        features: those that have contributions at the label party.
        owners: names of the feature parties.
        peers: their parts as far as they are known here, in the order of ``owners``.
    """

    @property
    def params(self) -> Any: ...

    @property
    def objective(self) -> str: ...

    @property
    def columns(self) -> list[str]: ...

    @property
    def features(self) -> list[str]: ...

    @property
    def owners(self) -> list[str]: ...

    @property
    def peers(self) -> Sequence[PeerPart]: ...
