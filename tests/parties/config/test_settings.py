"""Settings of peers and proposals: numbers of algorithms beside the general ones, with their defaults."""

from __future__ import annotations

from parties.config.settings import Limits, Peer, Terms
from vfl import jobs


def test_a_limit_has_the_default_of_its_algorithm() -> None:
    """Unless the configuration says another one."""
    assert Limits(numbers={"max_trees": 5}).value("max_trees") == 5
    assert Limits().value("max_trees") == jobs.limits()["max_trees"].default


def test_all_limits_are_listed_by_name() -> None:
    """General ones and those of algorithms."""
    limits = Limits(open_jobs=2, numbers={"max_trees": 5}).by_name
    assert (limits["open_jobs"], limits["max_trees"]) == (2, 5)
    assert {*jobs.limits()} <= {*limits}
    assert "numbers" not in limits


def test_a_proposal_has_the_default_of_its_term() -> None:
    """Terms that parameters of a job determine are not proposed."""
    terms = jobs.terms()
    assert Terms(numbers={"node_rows": 50}).value(terms["node_rows"]) == 50
    assert Terms().value(terms["node_rows"]) == terms["node_rows"].proposed
    assert Terms().value(terms["trees"]) is None


def test_both_fingerprints_of_a_peer_are_its_own() -> None:
    """The present one and the next one, while a certificate is replaced."""
    assert Peer(fingerprint="a" * 64).fingerprints == {"a" * 64}
    assert Peer(fingerprint="a" * 64, next_fingerprint="b" * 64).fingerprints == {"a" * 64, "b" * 64}
