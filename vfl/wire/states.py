"""The order of messages as a table; ``docs/protocol.md`` draws its diagram from it.

A job lives at the feature party in one state. A request that the table does not list for that state
is refused and changes nothing.
"""

from __future__ import annotations

import enum

from vfl.errors import OutOfSequence
from vfl.wire import messages as m


class State(enum.Enum):
    """Where a job stands, seen from the feature party."""

    NEW = "new"
    MASKING = "masking"
    READY = "ready"
    RECEIVING = "receiving"
    GROWING = "growing"
    COUNTING = "counting"
    BINNED = "binned"
    FITTING = "fitting"
    TAKING = "taking"
    MASKED = "masked"
    CROSSING = "crossing"
    PLANNING = "planning"
    STEPPING = "stepping"
    SHARING = "sharing"
    EXCHANGING = "exchanging"
    SUMMED = "summed"
    SCORING = "scoring"
    CLOSED = "closed"
    FAILED = "failed"


TRANSITIONS: dict[tuple[State, type[m.Message]], State] = {
    (State.NEW, m.ProposeContract): State.CLOSED,
    (State.NEW, m.OpenAlignment): State.MASKING,
    (State.MASKING, m.MaskPoints): State.MASKING,
    (State.MASKING, m.FetchPoints): State.MASKING,
    (State.MASKING, m.FixAlignment): State.CLOSED,
    (State.NEW, m.OpenTraining): State.READY,
    (State.READY, m.OpenTree): State.RECEIVING,
    (State.READY, m.CloseTraining): State.CLOSED,
    (State.RECEIVING, m.Gradients): State.RECEIVING,
    (State.RECEIVING, m.SumRoot): State.GROWING,
    (State.GROWING, m.GrowLevel): State.GROWING,
    (State.GROWING, m.OpenTree): State.RECEIVING,
    (State.GROWING, m.CloseTraining): State.CLOSED,
    (State.NEW, m.OpenBinning): State.COUNTING,
    (State.COUNTING, m.LabelCounts): State.COUNTING,
    (State.COUNTING, m.SumBins): State.BINNED,
    (State.BINNED, m.FixBinning): State.CLOSED,
    (State.NEW, m.OpenLinear): State.FITTING,
    (State.FITTING, m.OpenRound): State.TAKING,
    (State.FITTING, m.CloseLinear): State.CLOSED,
    (State.TAKING, m.Curvatures): State.TAKING,
    (State.TAKING, m.Residuals): State.TAKING,
    (State.TAKING, m.AskMaskedSums): State.MASKED,
    (State.MASKED, m.GiveUnmasked): State.FITTING,
    (State.NEW, m.OpenShared): State.CROSSING,
    (State.CROSSING, m.LabelRows): State.CROSSING,
    (State.CROSSING, m.AskCrossSums): State.PLANNING,
    (State.PLANNING, m.GivePlan): State.STEPPING,
    (State.STEPPING, m.OpenStep): State.SHARING,
    (State.SHARING, m.GivePredictors): State.EXCHANGING,
    (State.EXCHANGING, m.ExchangeWaves): State.EXCHANGING,
    (State.EXCHANGING, m.AskGradient): State.SUMMED,
    (State.SUMMED, m.GiveGradient): State.STEPPING,
    (State.STEPPING, m.CloseShared): State.CLOSED,
    (State.NEW, m.OpenScoring): State.SCORING,
    (State.SCORING, m.AskDirections): State.SCORING,
    (State.SCORING, m.AskPartialScores): State.SCORING,
    (State.SCORING, m.CloseScoring): State.CLOSED,
    (State.NEW, m.AskShare): State.CLOSED,
    (State.CLOSED, m.CloseLedger): State.CLOSED,
}

REPLIES: dict[type[m.Message], type[m.Message]] = {
    m.ProposeContract: m.ContractAnswered,
    m.OpenAlignment: m.AlignmentOpened,
    m.MaskPoints: m.PointsMasked,
    m.FetchPoints: m.PointsFetched,
    m.FixAlignment: m.AlignmentFixed,
    m.OpenTraining: m.TrainingOpened,
    m.OpenTree: m.TreeOpened,
    m.Gradients: m.GradientsTaken,
    m.SumRoot: m.LevelGrown,
    m.GrowLevel: m.LevelGrown,
    m.CloseTraining: m.TrainingClosed,
    m.OpenBinning: m.BinningOpened,
    m.LabelCounts: m.LabelCountsTaken,
    m.SumBins: m.BinsSummed,
    m.FixBinning: m.BinningFixed,
    m.OpenLinear: m.LinearOpened,
    m.OpenRound: m.RoundOpened,
    m.Curvatures: m.CurvaturesTaken,
    m.Residuals: m.ResidualsTaken,
    m.AskMaskedSums: m.MaskedSums,
    m.GiveUnmasked: m.DirectionOffered,
    m.CloseLinear: m.LinearClosed,
    m.OpenShared: m.SharedOpened,
    m.LabelRows: m.LabelRowsTaken,
    m.AskCrossSums: m.CrossSumsGiven,
    m.GivePlan: m.PlanTaken,
    m.OpenStep: m.StepOpened,
    m.GivePredictors: m.PredictorsTaken,
    m.ExchangeWaves: m.WavesExchanged,
    m.AskGradient: m.GradientGiven,
    m.GiveGradient: m.GradientTaken,
    m.CloseShared: m.SharedClosed,
    m.OpenScoring: m.ScoringOpened,
    m.AskDirections: m.DirectionsGiven,
    m.AskPartialScores: m.PartialScoresGiven,
    m.CloseScoring: m.ScoringClosed,
    m.AskShare: m.ShareGiven,
    m.CloseLedger: m.LedgerClosed,
}

OPENINGS = tuple(message for state, message in TRANSITIONS if state is State.NEW)
"""Messages that begin a job."""


def next_state(state: State, message: type[m.Message]) -> State:
    """Return the state after a request.

    Raises:
        OutOfSequence: the table has no such step; the message says what would be accepted.
    """
    after = TRANSITIONS.get((state, message))
    if after is None:
        expected = [kind.__name__ for start, kind in TRANSITIONS if start is state]
        raise OutOfSequence(
            f"{message.__name__} cannot come while the job is {state.value}; "
            + (f"expected {', '.join(expected)}" if expected else "open a new job")
        )
    return after


def diagram() -> str:
    """Return the table as a Mermaid state diagram, for ``docs/protocol.md``."""
    lines = ["stateDiagram-v2", "    [*] --> new"]
    lines += [
        f"    {start.value} --> {end.value}: {kind.__name__}" for (start, kind), end in TRANSITIONS.items()
    ]
    lines += ["    closed --> [*]"]
    return "\n".join(lines)
