"""A training that is broken off goes on from its checkpoint to the model that an undisturbed one gives."""

from contextlib import suppress

import msgspec
import numpy as np
import pandas as pd
import pytest

from vfl.aggregation.table import LabelTable
from vfl.algorithms.registry import to_json
from vfl.algorithms.trees.checkpoint import Checkpoint
from vfl.algorithms.trees.disclosure_control import DisclosurePolicy
from vfl.algorithms.trees.label_party import train
from vfl.algorithms.trees.params import TreeParams
from vfl.algorithms.trees.training_journal import MAX_RESUMED
from vfl.errors import PeerRefused, PeerUnreachable
from vfl.jobs import PROTOCOL
from vfl.wire.channel import LoopbackChannel
from vfl.wire.session import LabelSession

ROWS = 300
PARAMS = TreeParams(
    n_estimators=4, max_depth=3, max_bin=8, subsample=0.7, colsample_bytree=0.6, colsample_bynode=0.8,
    random_state=3,
)  # fmt: skip


class Cut:
    """A channel that fails at a chosen frame: before the peer has it, or with its answer lost."""

    def __init__(self, group, at, *, answered=False):
        self._group, self._at, self._answered = group, at, answered
        self.frames = 0

    def exchange(self, peer, frame):
        self.frames += 1
        if self.frames == self._at:
            if self._answered:
                self._group.parties[peer].receive(frame)
            raise PeerUnreachable("cut")
        return self._group.parties[peer].receive(frame)


@pytest.fixture(scope="module")
def problem(consortium):
    rng = np.random.default_rng(1)
    customers = [f"C{i:04d}" for i in range(ROWS)]
    label = pd.DataFrame(rng.normal(size=(ROWS, 2)), index=customers, columns=["age", "income"])
    frames = {}
    for name in ("telco", "payments"):
        frames[name] = pd.DataFrame(rng.normal(size=(ROWS, 3)), index=customers, columns=["a", "b", "c"])
    frames["telco"] = frames["telco"].iloc[30:]
    y = label["age"] + sum(frame["a"].reindex(customers).fillna(0) for frame in frames.values()) > 0.3
    table = LabelTable(customers, list(label), label.to_numpy(np.float32), y.to_numpy(np.float32))
    watch = np.arange(ROWS) % 5 == 0
    return consortium(label, frames), table, watch


def run(problem, key, model, *, channel=None, kept=None, resume=None, params=PARAMS):
    group, table, watch = problem
    channel = channel or group.channel
    sessions = {name: LabelSession(channel, name) for name in group.parties}
    kept = [] if kept is None else kept
    result = train(
        sessions, group.alignments, table, params, key, model_id=model, watch=watch,
        resume=resume, keep=kept.append,
    )  # fmt: skip
    return result, kept


def parts(group, model):
    return [to_json(party.parts[model]) for party in group.parties.values()]


@pytest.fixture(scope="module")
def undisturbed(problem, private_key):
    """The model, its checkpoints, and how many frames it took."""
    channel = Cut(problem[0], 0)
    result, kept = run(problem, private_key, "undisturbed", channel=channel)
    return result, kept, channel.frames


def test_a_checkpoint_is_the_same_after_it_was_written(undisturbed):
    """Bytes of a checkpoint give it back, float bits and state of the generator included."""
    for checkpoint in undisturbed[1]:
        data = msgspec.msgpack.encode(checkpoint)
        assert msgspec.msgpack.decode(data, type=Checkpoint) == checkpoint


@pytest.mark.parametrize("seed", range(5))
def test_a_broken_training_goes_on_to_the_same_model(problem, private_key, undisturbed, seed):
    """Wherever it breaks off, twice, with the answer lost or not, every share ends bit for bit the same."""
    rng, model, kept = np.random.default_rng(seed), f"broken-{seed}", []
    for _ in range(2):
        channel = Cut(problem[0], int(rng.integers(1, undisturbed[2] + 1)), answered=bool(rng.integers(2)))
        at, grown = (kept[-1] if kept else None), len(kept)
        with suppress(PeerUnreachable):  # or there were fewer frames left
            run(problem, private_key, model, channel=channel, kept=kept, resume=at)
        assert len(kept) >= grown
    result, _ = run(problem, private_key, model, resume=kept[-1] if kept else None)
    assert to_json(result.part) == to_json(undisturbed[0].part)
    assert (result.history, result.importances) == (undisturbed[0].history, undisturbed[0].importances)
    assert parts(problem[0], model) == parts(problem[0], "undisturbed")


def test_nothing_is_grown_again_that_was_kept(problem, private_key, undisturbed):
    """A training whose last tree was kept only closes; every tree before a checkpoint stays as it is."""
    opened = []

    def noted(party):
        def receive(frame):
            opened.append(type(PROTOCOL.decode_request(frame).body).__name__)
            return party.receive(frame)

        return receive

    group = problem[0]
    channel = LoopbackChannel({name: noted(party) for name, party in group.parties.items()})
    result, _ = run(problem, private_key, "undisturbed", channel=channel, resume=undisturbed[1][-1])
    assert set(opened) == {"OpenTraining", "CloseTraining"}
    assert to_json(result.part) == to_json(undisturbed[0].part)


def test_early_stopping_is_remembered(problem, private_key):
    """A training that would have stopped at the tree it was broken off after stops there."""
    params = msgspec.structs.replace(PARAMS, n_estimators=12, early_stopping_rounds=1, learning_rate=1.0)
    result, kept = run(problem, private_key, "early", params=params)
    assert len(kept) < 12
    again, more = run(problem, private_key, "early", params=params, resume=kept[-1])
    assert more == []
    assert to_json(again.part) == to_json(result.part)


SAMPLED = {
    "bagging": {"subsample": 0.6, "colsample_bytree": 0.7},
    "goss": {"data_sample_strategy": "goss", "top_rate": 0.3, "other_rate": 0.3, "colsample_bytree": 0.7},
    "all rows": {"colsample_bylevel": 0.7},
}


@pytest.mark.parametrize("sampling", SAMPLED)
def test_guards_do_not_keep_a_training_from_going_on(consortium, private_key, sampling):
    """With guards and sampling, a training broken off at any frame ends bit for bit the same.

    With goss, whose rows depend on all that went before, at every frame; otherwise at every fourth.
    """
    rng = np.random.default_rng(2)
    customers = [f"C{i:04d}" for i in range(80)]
    label = pd.DataFrame(rng.normal(size=(80, 1)), index=customers, columns=["age"])
    frame = pd.DataFrame(rng.normal(size=(80, 3)).round(1), index=customers, columns=["a", "b", "c"])
    y = (frame["a"] * frame["b"] + label["age"] > 0.3).to_numpy(np.float32)
    group = consortium(label, {"telco": frame}, policy=DisclosurePolicy(node_rows=5, histogram_rows=3))
    problem = (group, LabelTable(customers, ["age"], label.to_numpy(np.float32), y), np.zeros(80, bool))
    params = TreeParams(n_estimators=2, max_depth=3, max_bin=16, random_state=5, **SAMPLED[sampling])
    whole = Cut(group, 0)
    undisturbed, _ = run(problem, private_key, "whole", channel=whole, params=params)
    assert whole.frames > 8
    for at in range(1, whole.frames + 1, 1 if sampling == "goss" else 4):
        model, kept, channel = f"broken-{at}", [], Cut(group, at, answered=at % 2 == 0)
        with pytest.raises(PeerUnreachable):
            run(problem, private_key, model, channel=channel, kept=kept, params=params)
        result, _ = run(problem, private_key, model, resume=kept[-1] if kept else None, params=params)
        assert to_json(result.part) == to_json(undisturbed.part)
        assert parts(group, model) == parts(group, "whole")


def test_another_contract_or_other_data_does_not_go_on(problem, private_key, undisturbed):
    """Rows, depth and the feature party's values must be those that the training began with."""
    group = problem[0]
    run(problem, private_key, "changed")
    other = msgspec.structs.replace(PARAMS, max_depth=4)
    with pytest.raises(PeerRefused, match="train again"):
        run(problem, private_key, "changed", params=other, resume=undisturbed[1][0])
    party = group.parties["telco"]
    before = party.frame
    party.frame = before.assign(a=before["a"].to_numpy()[::-1])
    try:
        with pytest.raises(PeerRefused, match="train again"):
            run(problem, private_key, "changed", resume=undisturbed[1][0])
    finally:
        party.frame = before


def test_a_training_goes_on_so_often_and_no_more(problem, private_key):
    """Sums of a tree can be asked anew only as often as a training may go on."""
    model = "often"
    _, kept = run(problem, private_key, model)
    for party in problem[0].parties.values():  # as if it had gone on so often, but for two times
        party.drafts[model] += [b'{"type":"grown","trees":4}'] * (MAX_RESUMED - 2)
    for _ in range(2):
        run(problem, private_key, model, resume=kept[-1])
    with pytest.raises(PeerRefused, match=f"was done {MAX_RESUMED} times"):
        run(problem, private_key, model, resume=kept[-1])
