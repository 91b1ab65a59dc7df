"""The algorithms of this release, a line each. Everything else goes through this list and names none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from vfl.algorithms.descriptor import Algorithm
from vfl.algorithms.linear.algorithm import ALGORITHM as LINEAR
from vfl.algorithms.scorecard.algorithm import ALGORITHM as SCORECARD
from vfl.algorithms.secret_shared.algorithm import ALGORITHM as SECRET_SHARED
from vfl.algorithms.trees.algorithm import ALGORITHM as TREES
from vfl.errors import ParameterError, StateError
from vfl.model.model_type import ModelType
from vfl.model.part import FeaturePart, LabelPart
from vfl.model.predictor import Predictor


class Registry:
    """Algorithms by name; the first that trains models is the default."""

    def __init__(self, *algorithms: Algorithm) -> None:
        self._algorithms: dict[str, Algorithm] = {}
        for algorithm in algorithms:
            self.add(algorithm)

    def __iter__(self) -> Iterator[Algorithm]:
        return iter(list(self._algorithms.values()))

    def add(self, algorithm: Algorithm) -> None:
        """Add an algorithm; raises ValueError where its name is taken."""
        if algorithm.name in self._algorithms:
            raise ValueError(f"there is an algorithm {algorithm.name} already")
        self._algorithms[algorithm.name] = algorithm

    def named(self, name: str) -> Algorithm:
        """Return an algorithm by its name; raises ParameterError where there is none."""
        if name not in self._algorithms:
            raise ParameterError(f"no algorithm {name}; known are {', '.join(self._algorithms)}")
        return self._algorithms[name]

    @property
    def trainable(self) -> list[Algorithm]:
        """Those that train models."""
        return [algorithm for algorithm in self if algorithm.training]

    @property
    def default(self) -> Algorithm:
        """The one that trains a model where nobody says which."""
        return self.trainable[0]

    def of_params(self, params: Any) -> Algorithm:
        """Return the algorithm that parameters are for; raises ParameterError where they are for none."""
        for algorithm in self.trainable:
            training = algorithm.training
            if training and type(params) is training.params and training.accepts(params):
                return algorithm
        raise ParameterError(f"no algorithm trains with {type(params).__name__}")

    def of_model_type(self, name: str) -> Algorithm:
        """Return the algorithm that trains a kind of model unless parameters say otherwise."""
        for algorithm in self.trainable:
            if algorithm.training and algorithm.training.model_type.name == name:
                return algorithm
        raise ParameterError(f"no kind of model {name}; known are {', '.join(self.model_types)}")

    @property
    def model_types(self) -> dict[str, ModelType]:
        """The kinds of model by name."""
        return {a.training.model_type.name: a.training.model_type for a in self.trainable if a.training}

    def model_type_of(self, part: LabelPart | FeaturePart) -> ModelType:
        """Return the kind of model that a part is of."""
        for kind in self.model_types.values():
            if isinstance(part, (kind.label_part, kind.feature_part)):
                return kind
        raise TypeError(f"{type(part).__name__} is a part of no kind of model that is registered")

    def predictor(self, part: LabelPart) -> Predictor:
        """Return a label party's part made ready to score."""
        return self.model_type_of(part).predictor(part)

    def label_part(self, data: bytes) -> LabelPart:
        """Read a label party's part, of whatever kind.

        Raises:
            StateError: not a part of this version, or one that contradicts itself.
        """
        part: LabelPart = _read(data, [kind.label_part for kind in self.model_types.values()])
        return part

    def feature_part(self, data: bytes) -> FeaturePart:
        """Read a feature party's part; raises as `label_part` does."""
        part: FeaturePart = _read(data, [kind.feature_part for kind in self.model_types.values()])
        return part


def to_json(part: LabelPart | FeaturePart) -> bytes:
    """Return a part as JSON; numbers are written so that reading gives the same bits."""
    return msgspec.json.encode(part)


def _read(data: bytes, kinds: list[Any]) -> Any:
    union = kinds[0]
    for kind in kinds[1:]:
        union |= kind
    try:
        return msgspec.json.decode(data, type=union)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise StateError(f"Not a readable part of a model: {error}") from error


ALGORITHMS = Registry(
    TREES,
    LINEAR,
    SECRET_SHARED,
    SCORECARD,
)
