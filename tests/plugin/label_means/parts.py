"""The parts of a model: cut points stay with who has the columns, means with who has the labels."""

from __future__ import annotations

from msgspec import Struct

from tests.plugin.label_means.params import LabelMeansParams


class LabelMeansFeaturePart(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="label_means"
):
    """A feature party's part: the cut points of its columns, and nothing of any label."""

    columns: list[str]
    cuts: list[list[float]]

    @property
    def features(self) -> list[str]:
        """What contributions are of."""
        return self.columns

    @property
    def outputs(self) -> int:
        """A bit for each bin."""
        return sum(len(ends) + 1 for ends in self.cuts)


class LabelMeansPeer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A feature party's columns as the label party knows them: names that are shown, and means by bin."""

    shown: list[str]
    means: list[list[float]]

    @property
    def outputs(self) -> int:
        """A bit for each bin."""
        return sum(map(len, self.means))


class LabelMeansLabelPart(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="label_means"
):
    """The label party's part: the base rate, its own cut points, and the means of everybody's bins."""

    params: LabelMeansParams
    base_rate: float
    columns: list[str]
    cuts: list[list[float]]
    means: list[list[float]]
    owners: list[str]
    peers: list[LabelMeansPeer]

    @property
    def objective(self) -> str:
        """A mean of labels is what minimises their squared distance."""
        return "reg:squarederror"

    @property
    def features(self) -> list[str]:
        """What contributions of the label party are of."""
        return self.columns
