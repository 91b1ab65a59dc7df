"""The two models of a service: which rows are scored by which, and that scores and reasons stay together."""

from __future__ import annotations

import numpy as np
import pytest

from parties.serving.fanout import PeerReply
from parties.serving.scorer import NO_ROWS, Scorer, Values
from vfl.linear_model.params import LinearParams
from vfl.linear_model.parts import LinearLabelPart, LinearPeer, LinearTerms
from vfl.scoring.platt_scaling import PlattScaling

COLUMNS = np.array([[1.0], [2.0], [-1.0], [0.5]], dtype=np.float32)
"""The bank's own column; each customer's joint margin is this, and what the peers add."""

LINK = PlattScaling(0.5, 0.25)
NAMES = {"telco": ["calls"]}


def part(coefficient: float, intercept: float, peers: dict[str, LinearPeer]) -> LinearLabelPart:
    """Return a linear model of one own column whose score is its margin."""
    terms = LinearTerms(
        columns=["age"], fill=[0.0], shift=[0.0], scale=[1.0], mean=[0.0], coefficients=[coefficient]
    )
    params = LinearParams(loss="squared")
    return LinearLabelPart(
        params=params, intercept=intercept, terms=terms, owners=list(peers), peers=list(peers.values())
    )


@pytest.fixture
def scorer() -> Scorer:
    """Return a joint model ``age + calls``, 10 for customers whom telco does not know; and ``2 age + 1``."""
    telco = LinearPeer(shown=["calls"], base=0.0, unknown=10.0)
    return Scorer(part(1.0, 0.0, {"telco": telco}), part(2.0, 1.0, {}), LINK, "bank")


def reply(rows: list[int], values: list[float] | None, status: str = "answered") -> PeerReply:
    """Return telco's answer about some rows, or none."""
    answers = None if values is None else np.array(values)[:, None]
    return PeerReply(status, np.array(rows), answers, 0.0)  # type: ignore[arg-type]


def listed(values: Values) -> list[list[tuple[str, str, float]]]:
    assert values.reasons is not None
    return [[(one.party, one.name, one.contribution) for one in row] for row in values.reasons]


def test_a_joint_score_adds_what_peers_answer_of_the_rows_they_know(scorer: Scorer) -> None:
    """A customer that a peer does not know counts as the model defines, and no reason is computed unasked."""
    values = scorer.joint(COLUMNS, {"telco": reply([2, 0], [3.0, 5.0])}, {}, 0)
    assert values.scores.tolist() == [6.0, 12.0, 2.0, 10.5]
    assert (values.reasons, values.bases) == (None, None)


def test_a_peer_that_was_not_asked_knows_nobody(scorer: Scorer) -> None:
    """Without a reply of it, every customer is unknown to it; a reply without an answer is another matter."""
    assert scorer.joint(COLUMNS, {}, {}, 0).scores.tolist() == [11.0, 12.0, 9.0, 10.5]
    late = reply([0, 1, 2, 3], None, "late")
    assert scorer.joint(COLUMNS, {"telco": late}, {}, 0).scores.tolist() == [1.0, 2.0, -1.0, 0.5]


def test_joint_reasons_and_their_base_add_up_to_the_margin(scorer: Scorer) -> None:
    """They are named by party, largest first, and as many as were asked for."""
    replies = {"telco": reply([0, 2], [5.0, -0.5])}
    values = scorer.joint(COLUMNS, replies, NAMES, 3)
    assert values.bases == [0.0] * 4
    sums = [sum(contribution for _, _, contribution in row) for row in listed(values)]
    assert sums == values.scores.tolist() == [6.0, 12.0, -1.5, 10.5]
    first, _, third, _ = listed(scorer.joint(COLUMNS, replies, NAMES, 1))
    assert first == [("telco", "calls", 5.0)]
    assert third == [("bank", "age", -1.0)]


def test_reasons_have_the_names_that_the_peer_shows_now(scorer: Scorer) -> None:
    """A peer that renames its columns between two requests is followed."""
    for name in ("calls", "contacts", "calls"):
        values = scorer.joint(COLUMNS[:1], {"telco": reply([0], [5.0])}, {"telco": [name]}, 1)
        assert listed(values) == [[("telco", name, 5.0)]]


def test_the_bank_only_model_is_put_on_the_joint_scale(scorer: Scorer) -> None:
    """Scores, contributions and base all go through the link, so that they add up there too."""
    values = scorer.alone(COLUMNS, 1)
    assert values.scores.tolist() == (COLUMNS[:, 0] + 0.75).tolist()
    assert listed(values) == [[("bank", "age", float(age))] for age in COLUMNS[:, 0]]
    assert values.bases == [0.75] * 4
    again = scorer.alone(COLUMNS[:2])
    assert (again.scores.tolist(), again.reasons, again.bases) == ([1.75, 2.75], None, None)


@pytest.mark.parametrize("reasons", [0, 2])
@pytest.mark.parametrize(
    "complete",
    [[True] * 4, [False] * 4, [True, False, True, False], [False, True, True, True]],
    ids=["all complete", "none complete", "every other", "all but the first"],
)
def test_each_row_is_scored_by_its_own_model(scorer: Scorer, complete: list[bool], reasons: int) -> None:
    """Scores, reasons and bases of a row all come from the joint model, or all from the bank-only one."""
    replies = {"telco": reply([0, 2], [5.0, 3.0])}
    joint, alone = scorer.joint(COLUMNS, replies, NAMES, reasons), scorer.alone(COLUMNS, reasons)
    values = scorer.with_fallback(np.array(complete), COLUMNS, replies, NAMES, reasons)
    for row, is_joint in enumerate(complete):
        source = joint if is_joint else alone
        assert values.scores[row] == source.scores[row]
        if reasons:
            assert listed(values)[row] == listed(source)[row]
            assert values.bases is not None
            assert source.bases is not None
            assert values.bases[row] == source.bases[row]
    if not reasons:
        assert (values.reasons, values.bases) == (None, None)


def test_no_rows_have_no_scores(scorer: Scorer) -> None:
    """An empty request is answered with nothing, by either model."""
    nothing, absent = COLUMNS[:0], PeerReply("unknown_customer", NO_ROWS, None, 0.0)
    assert len(scorer.joint(nothing, {"telco": absent}, {}, 0).scores) == 0
    assert len(scorer.alone(nothing).scores) == 0
