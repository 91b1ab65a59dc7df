"""Owners are asked as little and as seldom as the trees allow, and their answers are checked."""

import pytest

from vfl.algorithms.trees.columns import LevelReply
from vfl.algorithms.trees.params import TreeParams
from vfl.errors import MalformedMessage


class Counting:
    """An owner that keeps what it was asked."""

    def __init__(self, owner):
        self.owner, self.asked = owner, []
        self.n_bins, self.rows_in_label_table = owner.n_bins, owner.rows_in_label_table

    def root_sums(self, nodes):
        return self.owner.root_sums(nodes)

    def level(self, nodes, request):
        self.asked.append(request)
        return self.owner.level(nodes, request)


def counted(federation, table, params):
    owners = {}

    def wrap(owner, number):
        owners[number] = Counting(owner)
        return owners[number]

    ours = federation.grow_together(table, params, wrap=wrap)
    return ours.label, owners


def test_a_lone_feature_party_is_asked_once_a_level(federation):
    """With one feature party, a tree of depth d takes at most d calls, of which the last asks no sums."""
    table = federation.make_table(rows=4000, known=0.7)
    _, owners = counted(federation, table, TreeParams(n_estimators=1, max_depth=4, max_bin=16))
    asked = owners[1].asked
    assert len(asked) == 4
    assert [bool(request.siblings) for request in asked] == [True, True, True, False]


def test_several_feature_parties_are_asked_twice_a_level_at_most(federation):
    """With several feature parties, one call carries splits and a second carries directions and sums."""
    table = federation.make_table(rows=4000, widths=(2, 2, 2), known=0.7)
    _, owners = counted(federation, table, TreeParams(n_estimators=1, max_depth=4, max_bin=16))
    for number in (1, 2):
        asked = owners[number].asked
        assert all(not (request.splits and request.siblings) for request in asked)
        assert sum(bool(request.siblings) for request in asked) == 3
        assert sum(bool(request.splits) for request in asked) <= 4


def test_nothing_is_summed_that_cannot_be_split(federation):
    """Where both children are too light to be split again, no sums and no directions are asked."""
    table = federation.make_table(rows=1000)
    heavy = TreeParams(n_estimators=1, max_depth=6, max_bin=16, min_child_weight=70.0)
    _, owners = counted(federation, table, heavy)
    assert not any(request.siblings for owner in owners.values() for request in owner.asked)


def test_a_root_that_cannot_be_split_asks_nobody(federation):
    """Where the whole data weighs too little, the tree is one leaf and no owner hears of it."""
    table = federation.make_table(rows=50)
    params = TreeParams(n_estimators=1, min_child_weight=1000.0)
    label, owners = counted(federation, table, params)
    assert label.trees[0].owner == [-1]
    assert not any(owner.asked for owner in owners.values())


@pytest.mark.parametrize("spoil", ["no directions", "short directions", "no sums", "short sums"])
def test_an_answer_that_does_not_fit_is_refused(federation, spoil):
    """Directions or sums of another length or node than asked raise MalformedMessage."""

    class Spoiling(Counting):
        def level(self, nodes, request):
            reply = super().level(nodes, request)
            directions = {} if spoil == "no directions" else dict(reply.directions)
            sums = {} if spoil == "no sums" else dict(reply.sums)
            if spoil == "short directions":
                directions = {node: told[:-1] for node, told in directions.items()}
            if spoil == "short sums":
                sums = {node: of[:-1] for node, of in sums.items()}
            return LevelReply(directions, sums)

    table = federation.make_table(rows=500, widths=(0, 4))
    with pytest.raises(MalformedMessage):
        federation.grow_together(
            table,
            TreeParams(n_estimators=1, max_depth=4),
            wrap=lambda owner, number: Spoiling(owner) if number else owner,
        )
