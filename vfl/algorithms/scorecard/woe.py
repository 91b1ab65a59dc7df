"""Weight of evidence and information value of bins.

An event is a row with label 1 (a default, a fraud), a non-event one with label 0. The weight of evidence of a
bin is ``ln(fraction of all non-events / fraction of all events)``, so a bin safer than the whole is
positive: the convention of `optbinning` and of Siddiqi, Credit Risk Scorecards, 2006. The information value
of a bin is the difference of the two fractions times its weight of evidence, that of a column the sum over
all its bins.

Where a bin lacks events or non-events, half a row of each is added to it. Where a minimum of either is
asked for and not reached, the bin is coded 0, as neutral as the whole, and has no information value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vfl.arrays import Float64

HALF_A_ROW = 0.5


@dataclass(frozen=True)
class Counts:
    """Sums of weights over bins of any shape, or over everything.

    Attributes:
        rows: of all rows.
        events: of rows with label 1.
    """

    rows: Float64
    events: Float64

    @property
    def nonevents(self) -> Float64:
        """Of rows with label 0."""
        return self.rows - self.events

    @property
    def event_rate(self) -> Float64:
        """Fraction of events; 0 in an empty bin."""
        return np.divide(self.events, self.rows, out=np.zeros_like(self.rows), where=self.rows > 0)

    def enough(self, min_events: float) -> npt.NDArray[np.bool_]:
        """Whether a bin has this weight of events and of non-events."""
        return (self.events >= min_events) & (self.nonevents >= min_events)


def weight_of_evidence(bins: Counts, totals: Counts, min_events: float = 0.0) -> Float64:
    """Weight of evidence of bins, in the shape of ``bins``.

    Args:
        bins: counts of each bin.
        totals: counts of all rows; events and non-events both occur.
        min_events: least weight of events and of non-events of a bin that is not neutral.
    """
    half = HALF_A_ROW * ((bins.events == 0) | (bins.nonevents == 0))
    empty = bins.rows == 0
    nonevents, events = (np.where(empty, 1.0, counts + half) for counts in (bins.nonevents, bins.events))
    woe = np.log(nonevents / totals.nonevents) - np.log(events / totals.events)
    return np.where(empty | ~bins.enough(min_events), 0.0, woe)


def information_value(bins: Counts, totals: Counts, min_events: float = 0.0) -> Float64:
    """Information value of each bin, never negative; arguments as for `weight_of_evidence`."""
    difference = bins.nonevents / totals.nonevents - bins.events / totals.events
    return np.asarray(np.maximum(difference * weight_of_evidence(bins, totals, min_events), 0.0))
