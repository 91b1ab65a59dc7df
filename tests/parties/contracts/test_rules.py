"""Which openings a contract covers: each kind of job by its own terms, and none beyond them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from parties.config import Config
from parties.config.settings import PERMISSIONS, Limits, Peer
from parties.contracts import rules
from vfl.algorithms.linear.messages import OpenLinear
from vfl.algorithms.scorecard.messages import OpenBinning
from vfl.algorithms.secret_shared.messages import OpenShared
from vfl.algorithms.trees.messages import OpenTraining
from vfl.errors import NotAllowed, UnknownPeer
from vfl.jobs import JOB_TYPES, PROTOCOL
from vfl.psi.messages import OpenAlignment
from vfl.scoring import messages as m
from vfl.wire.contract import Contract, Member
from vfl.wire.contract_messages import ProposeContract
from vfl.wire.message import Message

KEY = b"\xff" * 256
ALIGNED = {"alignment": "a1", "fingerprint": bytes(32), "public_key": KEY}
OF_LINEAR = {"model": "m1", "binning": "b1", "rows": 200, "l2": 1.0, "standardise": True}
ALIGN = OpenAlignment("a1", "left", ["id:"], 200)
TREES = OpenTraining(
    model="m1", alignment="a1", fingerprint=bytes(32), fit_rows=b"\xff" * 20, watch_rows=b"\xff" * 5,
    public_key=KEY, fraction_bits=40, packed_rows=256, max_abs_g=1.0, max_h=1.0, max_bin=32, max_depth=5,
    trees=10,
)  # fmt: skip
BIN = OpenBinning("b1", "a1", bytes(32), b"\xff" * 25, KEY, 0, 256, 1.0, "quantile", 20)
LINEAR = OpenLinear(**ALIGNED, **OF_LINEAR, l1=0.0, tol=1e-5, rounds=30)  # type: ignore[arg-type]
SHARED = OpenShared("m1", "a1", bytes(32), "b1", 200, KEY, 3, 4, 1.0, True, 30)
SCORE = m.OpenScoring("m1", "a1", bytes(32))
EXPORT = m.AskPart("m1")


def contract(action: str, **its: Any) -> Contract:
    return Contract(
        nonce=bytes(16), action=action, purpose="p", label_party=Member("bank", b"a" * 32),  # type: ignore[arg-type]
        feature_parties=[Member("bureau", b"b" * 32)], created=1_000, expires=2_000, **its,
    )  # fmt: skip


PROTECTED = {"node_rows": 5, "histogram_rows": 3}
TRAIN = {"alignment": "a1", "model": "m1", "rows": 200, "key_bits": 2048}
COVERED: dict[str, tuple[Contract, Message]] = {
    "align": (contract("align", alignment="a1", rows=200), ALIGN),
    "trees": (
        contract("train", algorithm="trees", terms={"trees": 10, "max_depth": 5, **PROTECTED}, **TRAIN),
        TREES,
    ),
    "bin": (contract("bin", alignment="a1", binning="b1", rows=200, key_bits=2048), BIN),
    "linear": (contract("train", algorithm="linear", binning="b1", terms={"rounds": 30}, **TRAIN), LINEAR),
    "shared": (
        contract("train", algorithm="secret_shared", binning="b1", terms={"rounds": 30}, **TRAIN),
        SHARED,
    ),
    "score": (contract("score", alignment="a1", model="m1", rows_per_hour=100), SCORE),
    "export": (contract("export", model="m1"), EXPORT),
}


PEER = Peer(fingerprint="a" * 64, allow=list(PERMISSIONS), limits=Limits(min_rows=1))


def test_every_opening_is_tried_here() -> None:
    """No kind of job is left out of what follows."""
    assert {type(opening) for _, opening in COVERED.values()} == {*PROTOCOL.openings} - {ProposeContract}


@pytest.mark.parametrize("kind", COVERED)
def test_a_contract_covers_its_own_kind_of_job_alone(kind: str) -> None:
    """A linear contract does not allow trees, a binning no training, and so on, each way round."""
    agreed, opening = COVERED[kind]
    rules.check_opening(PEER, agreed, opening, 0)
    for other, (_, another) in COVERED.items():
        if other != kind:
            with pytest.raises(NotAllowed, match=r"another (action|algorithm)"):
                rules.check_opening(PEER, agreed, another, 0)


@pytest.mark.parametrize(
    ("kind", "change", "told"),
    [
        ("align", {"alignment": "a2"}, "another alignment"),
        ("align", {"rows": 201}, "rows=201 asked; this contract allows you at most 200"),
        ("trees", {"model": "m2"}, "another model"),
        ("trees", {"trees": 11}, "trees=11 asked"),
        ("trees", {"max_depth": 6}, "max_depth=6 asked"),
        ("trees", {"watch_rows": b"\xff" * 5 + b"\x01"}, "rows=201 asked"),
        ("trees", {"public_key": b"\xff" * 255}, "key_bits=2040 asked"),
        ("bin", {"binning": "b2"}, "another binning"),
        ("bin", {"alignment": "a2"}, "another alignment"),
        ("bin", {"fit_rows": b"\xff" * 25 + b"\x01"}, "rows=201 asked"),
        ("bin", {"public_key": b"\xff" * 255}, "key_bits=2040 asked"),
        ("linear", {"model": "m2"}, "another model"),
        ("linear", {"binning": "b2"}, "another binning"),
        ("linear", {"binning": None}, "another binning"),
        ("linear", {"alignment": "a2"}, "another alignment"),
        ("linear", {"rounds": 31}, "rounds=31 asked; this contract allows you at most 30"),
        ("linear", {"rows": 201}, "rows=201 asked"),
        ("linear", {"public_key": b"\xff" * 255}, "key_bits=2040 asked"),
        ("shared", {"model": "m2"}, "another model"),
        ("shared", {"binning": None}, "another binning"),
        ("shared", {"alignment": "a2"}, "another alignment"),
        ("shared", {"steps": 31}, "rounds=31 asked"),
        ("shared", {"rows": 201}, "rows=201 asked"),
        ("shared", {"public_key": b"\xff" * 255}, "key_bits=2040 asked"),
        ("score", {"model": "m2"}, "another model"),
        ("score", {"alignment": "a2"}, "another alignment"),
        ("export", {"model": "m2"}, "another model"),
    ],
)
def test_what_is_beyond_a_contract_is_not_opened(kind: str, change: dict[str, Any], told: str) -> None:
    """Another subject, one row, round or tree too many, a shorter key: refused with the term."""
    agreed, opening = COVERED[kind]
    with pytest.raises(NotAllowed, match=told):
        rules.check_opening(PEER, agreed, msgspec.structs.replace(opening, **change), 0)


@pytest.mark.parametrize("kind", COVERED)
def test_a_contract_says_what_it_is_about(kind: str) -> None:
    """Without its alignment, binning, model or algorithm, where it needs one, it is not signed."""
    agreed = COVERED[kind][0]
    peer = Peer(fingerprint="a" * 64, identity=(b"a" * 32).hex(), allow=list(PERMISSIONS))
    rules.check_proposal(peer, agreed, 1_500.0)
    needed = {
        "align": ["alignment"], "bin": ["alignment", "binning"], "score": ["alignment", "model"],
        "export": ["model"],
    }  # fmt: skip
    for name in needed.get(kind, ["alignment", "model", "algorithm"]):
        with pytest.raises(NotAllowed, match=f"names no {name}"):
            rules.check_proposal(peer, msgspec.structs.replace(agreed, **{name: None}), 1_500.0)


@pytest.mark.parametrize("kind", ["bin", "trees", "linear", "shared"])
def test_a_short_key_is_in_no_contract(kind: str) -> None:
    """Whatever is computed under encryption, the key has 2,048 bits at least."""
    agreed = msgspec.structs.replace(COVERED[kind][0], key_bits=2047)
    peer = Peer(fingerprint="a" * 64, identity=(b"a" * 32).hex(), allow=["train"], limits=Limits())
    with pytest.raises(NotAllowed, match="key_bits=2047"):
        rules.check_proposal(peer, agreed, 1_500.0)


def test_rounds_beyond_the_peers_limit_are_not_signed() -> None:
    """Of a linear model, plain or on shares."""
    peer = Peer(
        fingerprint="a" * 64,
        identity=(b"a" * 32).hex(),
        allow=["train"],
        limits=Limits(numbers={"max_rounds": 29}),
    )
    for kind in ("linear", "shared"):
        with pytest.raises(NotAllowed, match="rounds=30 asked"):
            rules.check_proposal(peer, COVERED[kind][0], 1_500.0)


def grant(*allow: str, numbers: dict[str, int] | None = None, **limits: int) -> Peer:
    return Peer(fingerprint="a" * 64, allow=list(allow), limits=Limits(numbers=numbers or {}, **limits))  # type: ignore[arg-type]


def test_every_opening_needs_a_permission() -> None:
    """No message that begins a job is outside the rules."""
    assert set(JOB_TYPES) == set(PROTOCOL.openings) - {ProposeContract}
    assert {job.permission for job in JOB_TYPES.values()} == set(PERMISSIONS)


@pytest.mark.parametrize("kind", COVERED)
def test_only_the_named_permission_opens(kind: str) -> None:
    """A job of one kind is allowed by its own permission and by no other."""
    agreed, opening = COVERED[kind]
    needed = JOB_TYPES[type(opening)].permission
    rules.check_opening(grant(needed), agreed, opening, 0)
    with pytest.raises(NotAllowed, match=f"does not allow you to {needed}"):
        rules.check_opening(grant(*(set(PERMISSIONS) - {needed})), agreed, opening, 0)


@pytest.mark.parametrize(
    ("kind", "limits", "refusal"),
    [
        ("align", {"max_rows": 199}, "rows=200 asked"),
        ("trees", {"numbers": {"max_trees": 9}}, "trees=10 asked"),
        ("trees", {"numbers": {"max_depth": 4}}, "max_depth=5 asked"),
        ("trees", {"min_rows": 161}, "training on 160 rows"),
        ("trees", {"open_jobs": 2}, "2 jobs open"),
        ("bin", {"min_rows": 201}, "training on 200 rows"),
        ("linear", {"numbers": {"max_rounds": 29}}, "rounds=30 asked"),
        ("shared", {"numbers": {"max_rounds": 29}}, "rounds=30 asked"),
    ],
)
def test_limits_that_were_lowered_since_hold_to_the_number(kind: str, limits: Any, refusal: str) -> None:
    """A limit refuses what is one beyond it and allows what meets it, whatever was signed before."""
    agreed, opening = COVERED[kind]
    with pytest.raises(NotAllowed, match=refusal):
        rules.check_opening(grant("align", "train", **limits), agreed, opening, 2)
    (name, limit) = next(iter(limits.items()))
    if isinstance(limit, dict):
        wider: Any = {name: {key: value + 1 for key, value in limit.items()}}
    else:
        wider = {name: limit - 1 if name == "min_rows" else limit + 1}
    rules.check_opening(grant("align", "train", **wider), agreed, opening, 2)


def test_identity_is_the_certificate(bureau: Config, bank: Config) -> None:
    """A fingerprint names its peer; any other, the empty one included, names nobody."""
    assert rules.peer_with(bureau, bureau.peers["bank"].fingerprint) == "bank"
    for stranger in ("", "0" * 64):
        with pytest.raises(UnknownPeer):
            rules.peer_with(bureau, stranger)


def test_silence_means_no() -> None:
    """A peer without an allow list may ask for nothing, and another's job is not a peer's."""
    with pytest.raises(NotAllowed):
        rules.check_any(grant())
    rules.check_any(grant("score"))
    rules.check_owner("bank", "bank")
    with pytest.raises(NotAllowed, match="not yours"):
        rules.check_owner("bank", "other")
