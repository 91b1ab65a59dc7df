"""A whole linear model as one JSON document, merged from all parties' parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from vfl.errors import StateError
from vfl.linear_model.evidence import CodedColumn
from vfl.linear_model.parts import LinearFeaturePart, LinearLabelPart


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a party: it adds ``coefficient * (x - shift) / scale``, ``fill`` standing for a missing x.

    Where there is a ``limit``, ``(x - shift) / scale`` counts as that at most, and as its negative at least.
    With ``bins`` x is the weight of evidence of the column's bin, and no x is missing.
    """

    party: str
    column: str
    coefficient: float
    fill: float
    shift: float
    scale: float
    limit: float | None
    bins: CodedColumn | None


class MergedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A linear model that one party holds as a whole.

    Attributes:
        objective: XGBoost's name of the loss.
        intercept: of the linear predictor.
        terms: of all parties.
        unknown: by party, what a customer that it does not know adds in place of its terms.
    """

    objective: str
    intercept: float
    terms: list[Term]
    unknown: dict[str, float]


def to_linear_json(
    part: LinearLabelPart, feature_parts: Mapping[str, LinearFeaturePart], label_party: str
) -> bytes:
    """Merge the parts of a model into the JSON of a `MergedModel`.

    Args:
        part: the label party's part.
        feature_parts: by name, the part of every feature party.
        label_party: name of the label party.

    Raises:
        StateError: a part is absent, or has other columns than the label party expects.
    """
    absent = [name for name in part.owners if name not in feature_parts]
    if absent:
        raise StateError(f"The parts of {', '.join(absent)} are needed to merge the model")
    terms = list(_terms(label_party, part))
    for name, peer in zip(part.owners, part.peers, strict=True):
        if feature_parts[name].outputs != peer.outputs:
            raise StateError(f"The part of {name} is of another model: it has other columns")
        terms += _terms(name, feature_parts[name])
    return msgspec.json.encode(
        MergedModel(
            objective=part.objective,
            intercept=part.intercept,
            terms=terms,
            unknown={name: peer.unknown for name, peer in zip(part.owners, part.peers, strict=True)},
        )
    )


def _terms(party: str, part: LinearLabelPart | LinearFeaturePart) -> Iterator[Term]:
    terms = part.terms
    bins = [None] * len(terms.columns) if part.binning is None else part.binning.coded
    numbers = zip(terms.columns, terms.coefficients, terms.fill, terms.shift, terms.scale, bins, strict=True)
    for column, coefficient, fill, shift, scale, coded in numbers:
        yield Term(
            party=party,
            column=column,
            coefficient=coefficient,
            fill=fill,
            shift=shift,
            scale=scale,
            limit=terms.limit,
            bins=coded,
        )
