"""The label party asks for directions with one message, and takes nothing that does not fit its share."""

import msgspec
import numpy as np
import pandas as pd
import pytest
import xgboost

from vfl.aggregation.table import LabelTable
from vfl.algorithms.trees.export import to_xgboost_json
from vfl.algorithms.trees.label_party import train
from vfl.algorithms.trees.messages import AskDirections, DirectionsGiven
from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.predictor import TreesPredictor, split_directions
from vfl.errors import DataError, MalformedMessage, NotAligned
from vfl.jobs import PROTOCOL
from vfl.scoring import messages as m
from vfl.scoring.feature_party import ScoringWorker
from vfl.scoring.label_party import RemotePart, ask_all, ask_part, score
from vfl.wire.channel import LoopbackChannel
from vfl.wire.session import FeatureSession, LabelSession, loopback_receiver

ROWS = 200


@pytest.fixture(scope="module")
def trained(consortium, private_key):
    """A group of three that trained a model, the label party's table and its share."""
    rng = np.random.default_rng(3)
    customers = [f"C{i:03d}" for i in range(ROWS)]
    label = pd.DataFrame(rng.normal(size=(ROWS, 2)), index=customers, columns=["age", "balance"])
    frames = {
        "telco": pd.DataFrame(rng.normal(size=(ROWS, 2)), index=customers, columns=["calls", "sims"]),
        "shop": pd.DataFrame(rng.normal(size=(ROWS, 1)), index=customers, columns=["spend"])[30:],
    }
    z = label["age"] + frames["telco"]["calls"] + frames["shop"]["spend"].reindex(customers).fillna(0)
    y = (z + rng.normal(size=ROWS) > 0.5).to_numpy(np.float32)
    group = consortium(label, frames)
    table = LabelTable(customers, list(label.columns), label.to_numpy(np.float32), y)
    params = TreeParams(n_estimators=3, max_depth=3, max_bin=8)
    result = train(group.sessions(), group.alignments, table, params, private_key, model_id="m")
    return group, table, result.part


def talking_to(handler):
    """Return a conversation with a telco that answers as ``handler`` does."""
    channel = LoopbackChannel(
        {"telco": loopback_receiver(PROTOCOL, FeatureSession(PROTOCOL, "job"), handler)}
    )
    return LabelSession(channel, "telco", "job")


def test_training_leaves_the_column_of_each_split_of_a_peer(trained):
    """The share tells for each feature party how many columns it has, and which column each split is on."""
    group, _, part = trained
    for name, peer in zip(part.owners, part.peers, strict=True):
        theirs = group.parties[name].parts["m"]
        assert peer.shown == theirs.columns
        assert peer.split_column == theirs.splits.feature
    assert sum(len(peer.split_column) for peer in part.peers) > 0


def test_a_share_answers_any_positions_with_one_message(trained):
    """In any order, with repeats or none: the party's own directions of those rows, one message each time."""
    group, _, part = trained
    party, alignment = group.parties["telco"], group.alignments["telco"]
    remote = RemotePart(group.sessions()["telco"], alignment, part, "m")
    names, columns = party.aligned_columns(alignment)
    party.frames_seen.clear()
    asked = [np.array([5, 199, 5, 0]), np.arange(ROWS)[::-1], np.zeros(0, np.int64)]
    for positions in asked:
        expected = split_directions(party.parts["m"], columns[positions])
        assert np.array_equal(remote.ask(positions), expected)
    remote.close()
    sent = [PROTOCOL.decode_request(frame).body for frame in party.frames_seen]
    assert [type(body) for body in sent] == [AskDirections] * 3 + [m.CloseScoring]
    assert names == ["calls", "sims"]


def test_directions_are_asked_once_for_every_subset_of_parties(trained):
    """Without a party's directions the scores are xgboost's on a table in which its columns are missing."""
    group, table, part = trained
    directions = ask_all(group.sessions(), group.alignments, part, model_id="m")
    known = [table.rows_of(group.alignments[name]) for name in part.owners]
    parts = {name: ask_part(session, "m") for name, session in group.sessions().items()}
    booster = xgboost.Booster(model_file=bytearray(to_xgboost_json(part, parts)))
    pooled = group.pooled().to_numpy(np.float32)
    for silent, columns in ((None, []), (0, [2, 3]), (1, [4])):
        told = [None if number == silent else given for number, given in enumerate(directions)]
        partly = pooled.copy()
        partly[:, columns] = np.nan
        scores = TreesPredictor(part).predict(table.columns, told, known)
        np.testing.assert_array_equal(scores, booster.inplace_predict(partly))
    scored = score(group.sessions(), group.alignments, part, table, model_id="m")
    np.testing.assert_array_equal(scored, booster.inplace_predict(pooled))


def test_progress_counts_the_rows_of_every_party(trained):
    """What is reported ends at the rows that all parties know together."""
    group, table, part = trained
    reported = []
    score(
        group.sessions(), group.alignments, part, table, model_id="m",
        on_progress=lambda done, total, what: reported.append((done, total)),
    )  # fmt: skip
    assert reported[-1] == (2 * ROWS - 30, 2 * ROWS - 30)


@pytest.mark.parametrize(
    ("lie", "error"),
    [
        ({"rows": 199}, NotAligned),
        ({"outputs": 0}, NotAligned),
        ({"reasons": ["one"]}, MalformedMessage),
    ],
    ids=["rows", "outputs", "reasons"],
)
def test_another_share_than_ours_is_not_asked(trained, lie, error):
    """A party that opens with other rows, parts or names than it can have is refused at once."""
    group, _, part = trained

    def lying(request):
        opened = ScoringWorker(group.parties["telco"]).handle(request)
        return msgspec.structs.replace(opened, **lie)

    with pytest.raises(error, match="telco"):
        RemotePart(talking_to(lying), group.alignments["telco"], part, "m")


def test_an_answer_of_another_length_is_refused(trained):
    """Directions for more or fewer rows than were asked are not taken."""
    group, _, part = trained
    honest = ScoringWorker(group.parties["telco"])

    def short(request):
        reply = honest.handle(request)
        return DirectionsGiven(reply.go_left[:-1]) if isinstance(reply, DirectionsGiven) else reply

    remote = RemotePart(talking_to(short), group.alignments["telco"], part, "m")
    with pytest.raises(MalformedMessage):
        remote.ask(np.arange(10))


def test_reasons_are_told_as_the_owner_named_them(trained):
    """The names come through unchanged; the default of a party that was told nothing is to forbid."""
    group, _, part = trained
    named = ScoringWorker(group.parties["telco"], lambda columns: ["telco"] * len(columns))
    remote = RemotePart(talking_to(named.handle), group.alignments["telco"], part, "m")
    assert remote.reasons == ["telco", "telco"]
    assert RemotePart(group.sessions()["telco"], group.alignments["telco"], part, "m").reasons == []


def test_other_columns_than_the_models_are_refused(trained):
    """A table in another order of columns is not scored."""
    group, table, part = trained
    turned = LabelTable(table.identifiers, table.names[::-1], table.columns[:, ::-1])
    with pytest.raises(DataError, match="age, balance"):
        score(group.sessions(), group.alignments, part, turned, model_id="m")
