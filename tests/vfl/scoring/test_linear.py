"""Linear models through the path of trees: trained and asked over real bytes; misfits are refused."""

import msgspec
import numpy as np
import pandas as pd
import pytest

from vfl.aggregation.table import LabelTable
from vfl.algorithms.linear.label_party import train
from vfl.algorithms.registry import ALGORITHMS, to_json
from vfl.algorithms.trees.messages import AskDirections, DirectionsGiven
from vfl.errors import MalformedMessage, PeerRefused, StateError
from vfl.jobs import PROTOCOL
from vfl.linear_model.export import MergedModel
from vfl.linear_model.messages import PartialScoresGiven
from vfl.linear_model.model_type import LINEAR
from vfl.linear_model.params import LinearParams
from vfl.linear_model.predictor import partial_scores
from vfl.scoring import messages as m
from vfl.scoring.feature_party import ScoringWorker
from vfl.scoring.label_party import RemotePart, ask_all, ask_part, score
from vfl.wire.channel import LoopbackChannel
from vfl.wire.session import FeatureSession, LabelSession, loopback_receiver

ROWS = 150


@pytest.fixture(scope="module")
def trained(consortium, private_key):
    """A group of three that trained a linear model, the label party's table and its share."""
    rng = np.random.default_rng(3)
    customers = [f"C{i:03d}" for i in range(ROWS)]
    label = pd.DataFrame(rng.normal(size=(ROWS, 2)), index=customers, columns=["age", "balance"])
    frames = {
        "telco": pd.DataFrame(
            rng.normal(size=(ROWS, 3)), index=customers, columns=["calls", "sims", "roams"]
        ),
        "shop": pd.DataFrame(rng.normal(size=(ROWS, 2)), index=customers, columns=["spend", "visits"])[30:],
    }
    z = label["age"] + frames["telco"]["calls"] + frames["shop"]["spend"].reindex(customers).fillna(0)
    y = (z + rng.normal(size=ROWS) > 0.5).to_numpy(np.float32)
    group = consortium(label, frames)
    table = LabelTable(customers, list(label.columns), label.to_numpy(np.float32), y)
    result = train(group.sessions(), group.alignments, table, LinearParams(), private_key, model_id="m")
    return group, table, result.part


def named(group, names):
    """A telco that tells contributions under these names, in one conversation."""
    worker = ScoringWorker(group.parties["telco"], lambda columns: names)
    return LoopbackChannel(
        {"telco": loopback_receiver(PROTOCOL, FeatureSession(PROTOCOL, "job"), worker.handle)}
    )


def test_scores_are_those_of_scikit_learn_on_partial_sums(trained):
    """All parties asked over real bytes; unknown customers included."""
    group, table, part = trained
    scored = score(group.sessions(), group.alignments, part, table, model_id="m")
    told = ask_all(group.sessions(), group.alignments, part, model_id="m")
    known = [table.rows_of(group.alignments[peer]) for peer in part.owners]
    judged = ALGORITHMS.predictor(part).reference_predictions(table.columns, told, known)
    np.testing.assert_allclose(scored, judged, rtol=1e-7)
    assert len(np.unique(scored)) == ROWS


@pytest.mark.parametrize(
    ("names", "columns"),
    [(["calls", "sims", "roams"], 3), (["use", "use", "roams"], 2), (["telco"] * 3, 1), ([], 1)],
    ids=["columns", "groups", "party", "none"],
)
def test_the_label_party_hears_one_number_for_each_told_name(trained, names, columns):
    """Sums of columns of one name, at the place of the first; the others are 0 and do not cross."""
    group, _, part = trained
    party, alignment = group.parties["telco"], group.alignments["telco"]
    frames = []
    channel = named(group, names)
    exchange = channel.exchange
    channel.exchange = lambda peer, frame: frames.append(exchange(peer, frame)) or frames[-1]
    remote = RemotePart(LabelSession(channel, "telco", "job"), alignment, part, "m")
    positions = np.array([5, 149, 5, 0])
    told = remote.ask(positions)
    remote.close()
    each = partial_scores(party.parts["m"], party.aligned_columns(alignment)[1][positions], ["a", "b", "c"])
    place = {"calls": [0, 1, 2], "use": [0, 0, 2]}.get((names or [""])[0], [0, 0, 0])
    expected = np.zeros((4, 3))
    for column, at in enumerate(place):
        expected[:, at] += each[:, column]
    np.testing.assert_array_equal(told, expected)
    assert len(frames[1]) < 8 * 4 * columns + 120
    assert remote.reasons == names


def test_a_question_about_another_kind_of_model_is_refused(trained):
    """Directions are of trees, partial scores of linear models."""
    group, _, _ = trained
    alignment = group.alignments["telco"]
    session = group.sessions()["telco"]
    session.ask(m.OpenScoring("m", alignment.id, alignment.fingerprint), m.ScoringOpened)
    with pytest.raises(PeerRefused, match="no question about this kind"):
        session.ask(AskDirections(bytes(4)), DirectionsGiven)


@pytest.mark.parametrize(
    "lie",
    [lambda values: values[:-8], lambda values: b"\0\0\0\0\0\0\xf0\x7f" + values[8:]],
    ids=["too few", "infinite"],
)
def test_partial_scores_that_cannot_be_are_refused(trained, lie):
    """Another number of them than was asked for, or one that is not finite."""
    group, _, part = trained
    honest = ScoringWorker(group.parties["telco"])

    def lying(request):
        reply = honest.handle(request)
        is_answer = isinstance(reply, PartialScoresGiven)
        return PartialScoresGiven(lie(reply.values)) if is_answer else reply

    channel = LoopbackChannel({"telco": loopback_receiver(PROTOCOL, FeatureSession(PROTOCOL, "job"), lying)})
    remote = RemotePart(LabelSession(channel, "telco", "job"), group.alignments["telco"], part, "m")
    with pytest.raises(MalformedMessage, match="telco"):
        remote.ask(np.arange(10))


def test_large_answers_come_in_several_messages(trained, monkeypatch):
    """Where the partial scores of all rows would not fit a frame, they are the same in parts."""
    group, _, part = trained
    whole = ask_all(group.sessions(), group.alignments, part, model_id="m")
    monkeypatch.setattr("vfl.linear_model.model_type.MAX_ANSWER_BYTES", 8 * 40)
    group.parties["telco"].frames_seen.clear()
    parts = ask_all(group.sessions(), group.alignments, part, model_id="m")
    assert len(group.parties["telco"].frames_seen) == 2 + 4
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)


def test_shares_of_both_kinds_are_stored_in_one_way(trained):
    """What is read is what was written; the kind is in the document."""
    group, _, part = trained
    assert ALGORITHMS.label_part(to_json(part)) == part
    theirs = group.parties["telco"].parts["m"]
    assert ALGORITHMS.feature_part(to_json(theirs)) == theirs
    with pytest.raises(StateError):
        ALGORITHMS.feature_part(to_json(part))


def test_a_merged_model_scores_as_its_shares(trained):
    """Coefficients of all parties in one document: the linear predictor is the same."""
    group, table, part = trained
    parts = {name: ask_part(session, "m") for name, session in group.sessions().items()}
    whole = msgspec.json.decode(LINEAR.merge(part, parts, "bank"), type=MergedModel)
    z = np.full(ROWS, whole.intercept)
    for term in whole.terms:
        frame = group.label if term.party == "bank" else group.parties[term.party].frame
        x = frame[term.column].reindex(table.identifiers).astype(np.float32).astype(float).fillna(term.fill)
        z += term.coefficient * (x.to_numpy() - term.shift) / term.scale
    scored = score(group.sessions(), group.alignments, part, table, model_id="m")
    np.testing.assert_allclose(1 / (1 + np.exp(-z)), scored, rtol=1e-6)
    with pytest.raises(StateError, match="shop"):
        LINEAR.merge(part, {"telco": parts["telco"]}, "bank")
