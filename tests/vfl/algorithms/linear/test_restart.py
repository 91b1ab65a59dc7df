"""A linear model that was broken off is trained again from its start, and tells no more for it."""

import itertools
from contextlib import suppress

import msgspec
import numpy as np
import pytest

from vfl.aggregation.journal import MAX_ATTEMPTS
from vfl.aggregation.table import LabelTable
from vfl.algorithms.linear import label_party as plain
from vfl.algorithms.linear import messages as m
from vfl.algorithms.registry import to_json
from vfl.algorithms.secret_shared import label_party as shared
from vfl.crypto.paillier import generate
from vfl.errors import PeerRefused, PeerUnreachable
from vfl.jobs import PROTOCOL
from vfl.linear_model.params import LinearParams
from vfl.wire.session import LabelSession

PARAMS = LinearParams(C=0.5)


class Cut:
    """A channel that fails at a chosen frame, whose answer is lost, and notes what was offered."""

    def __init__(self, group, at=0):
        self._group, self._at, self._numbers, self.offered = group, at, itertools.count(1), []

    def exchange(self, peer, frame):
        self.frames = number = next(self._numbers)  # of several threads
        reply = self._group.parties[peer].receive(frame)
        body = PROTOCOL.decode_reply(reply).body
        if isinstance(body, m.DirectionOffered) and body.values:
            self.offered.append((peer, body.values))
        if number == self._at:
            raise PeerUnreachable("cut")
        return reply


@pytest.fixture
def made(consortium, linear):
    """Return a new consortium of two feature parties, always the same, and labels."""

    def make(widths=(3, 4, 3), **options):
        people = linear.population(rows=200, widths=widths, known=0.9)
        y = (people.score + people.rng.logistic(size=200) > 0.5).astype(float)
        return consortium(people.label, people.parties, **options), y

    return make


@pytest.fixture
def trained(linear):
    """Train in a group over a channel; returns shares as bytes, and the channel."""

    def train(group, y, key, params=PARAMS, at=0):
        group.channel = channel = Cut(group, at)
        result, _ = linear.fit(group, y, params, key)
        parts = [to_json(result.part), *(to_json(party.parts["m"]) for party in group.parties.values())]
        return parts, channel

    return train


@pytest.mark.parametrize("params", [PARAMS, LinearParams(C=0.05, l1_ratio=0.5)], ids=["L2", "elastic net"])
def test_a_broken_training_ends_byte_for_byte_as_an_undisturbed_one(made, trained, private_key, params):
    """Wherever it was broken off; every share is the same, and so is every direction."""
    group, y = made()
    undisturbed, whole = trained(group, y, private_key, params)
    assert whole.offered
    for at in np.linspace(2, whole.frames, 7).astype(int):
        group, y = made()
        with pytest.raises(PeerUnreachable):
            trained(group, y, private_key, params, at)
        again, channel = trained(group, y, private_key, params)
        assert again == undisturbed
        assert sorted(channel.offered) == sorted(whole.offered)


def test_another_key_does_not_change_what_is_offered(made, trained, private_key):
    """A label party that changed its Paillier key meanwhile is offered the same directions."""
    group, y = made()
    first, before = trained(group, y, private_key)
    again, channel = trained(group, y, generate(2048))
    assert again == first
    assert sorted(channel.offered) == sorted(before.offered)


def test_no_attempt_adds_to_the_directions_of_all(made, trained, private_key):
    """Labels chosen anew each time are answered with the same directions, not more than one job's."""
    group, y = made(widths=(2, 5), directions=2)
    rng, offered = np.random.default_rng(0), []
    for _ in range(MAX_ATTEMPTS):
        _, channel = trained(group, y, private_key)
        offered += channel.offered
        y = rng.permutation(y)
    assert len(set(offered)) == 2
    with pytest.raises(
        PeerRefused, match="was done 10 times, the most that is allowed; train again under another name"
    ):
        trained(group, y, private_key)


def test_other_terms_are_refused_once_something_was_told(made, trained, private_key):
    """Another penalty, or columns that changed, want another name; before the first offer they do not."""
    group, y = made(widths=(2, 4))
    other = msgspec.structs.replace(PARAMS, C=2.0)
    with pytest.raises(PeerUnreachable):
        trained(group, y, private_key, other, at=2)
    trained(group, y, private_key)
    with pytest.raises(PeerRefused, match=r"other terms.*train again under another name"):
        trained(group, y, private_key, other)
    party = group.parties["telco"]
    party.frame = party.frame * 1.5 + 1
    with pytest.raises(PeerRefused, match="data has changed since; train again under another name"):
        trained(group, y, private_key, msgspec.structs.replace(PARAMS, standardise=False))


def test_a_training_on_shares_begins_again(made, linear, private_key):
    """Random shares round otherwise each time: the coefficients are the same to two hundredths."""
    group, y = made(widths=(3, 4))
    params = LinearParams(C=0.5, protocol="shared", max_iter=8)
    label = group.label
    table = LabelTable(
        list(label.index), list(label.columns), label.to_numpy(np.float32), y.astype(np.float32)
    )
    found = []
    for at in (12, 0, 0):
        channel = Cut(group, at)
        sessions = {name: LabelSession(channel, name) for name in group.parties}
        with suppress(PeerUnreachable):
            by_protocol = shared.train if params.protocol == "shared" else plain.train
            result = by_protocol(sessions, group.alignments, table, params, private_key, model_id="m")
            own, theirs = (of.terms.coefficients for of in (result.part, group.parties["telco"].parts["m"]))
            found.append(np.concatenate([own, theirs]))
    assert len(found) == 2
    assert np.abs(found[0] - found[1]).max() < 0.02
