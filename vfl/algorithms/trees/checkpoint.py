"""The label party's state after a tree, from which an interrupted training resumes."""

from __future__ import annotations

import json

import numpy as np
from msgspec import Struct

from vfl.algorithms.trees.columns import Split
from vfl.algorithms.trees.parts import Tree
from vfl.arrays import Float32


class Checkpoint(Struct, frozen=True, forbid_unknown_fields=True):
    """The state of a training after some trees, from which the rest grows as if nothing had happened.

    It tells of every row's label, as margins do: it is kept as safe as the labels themselves.

    Attributes:
        trees: those grown so far.
        splits: by owner (0 is the label party), all splits by its columns.
        margin: float32 [rows], little-endian: bits and not recomputed sums, so that no rounding differs.
        random_state: of the generator that draws rows and columns, as JSON.
        history: the watched metric after each tree.
    """

    trees: list[Tree]
    splits: list[list[Split]]
    margin: bytes
    random_state: str
    history: list[float]

    @classmethod
    def take(
        cls,
        trees: list[Tree],
        splits: list[list[Split]],
        margin: Float32,
        rng: np.random.Generator,
        history: list[float],
    ) -> Checkpoint:
        """Return the state as it is now; nothing that changes later is shared with it."""
        return cls(
            list(trees),
            [list(of_owner) for of_owner in splits],
            margin.astype("<f4").tobytes(),
            json.dumps(rng.bit_generator.state),
            list(history),
        )

    def margins(self) -> Float32:
        """Return the margins as an array of its own."""
        return np.frombuffer(self.margin, dtype="<f4").astype(np.float32)

    def restore(self, rng: np.random.Generator) -> None:
        """Set a generator to the state of the checkpoint."""
        rng.bit_generator.state = json.loads(self.random_state)
