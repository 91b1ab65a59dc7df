"""Which openings a contract covers: each kind of job by its own terms, and none beyond them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from parties.contracts import terms
from parties.settings import PERMISSIONS, Limits, Peer
from vfl.errors import NotAllowed
from vfl.wire import messages as m
from vfl.wire.contract import Contract, Member
from vfl.wire.states import OPENINGS

KEY = b"\xff" * 256
ALIGNED = {"alignment": "a1", "fingerprint": bytes(32), "public_key": KEY}
OF_LINEAR = {"model": "m1", "binning": "b1", "rows": 200, "l2": 1.0, "standardise": True}
ALIGN = m.OpenAlignment("a1", "left", ["id:"], 200)
TREES = m.OpenTraining(
    model="m1", alignment="a1", fingerprint=bytes(32), fit_rows=b"\xff" * 20, watch_rows=b"\xff" * 5,
    public_key=KEY, fraction_bits=40, packed_rows=256, max_abs_g=1.0, max_h=1.0, max_bin=32, max_depth=5,
    trees=10,
)  # fmt: skip
BIN = m.OpenBinning("b1", "a1", bytes(32), b"\xff" * 25, KEY, 0, 256, 1.0, "quantile", 20)
LINEAR = m.OpenLinear(**ALIGNED, **OF_LINEAR, l1=0.0, tol=1e-5, rounds=30)  # type: ignore[arg-type]
SHARED = m.OpenShared("m1", "a1", bytes(32), "b1", 200, KEY, 3, 4, 1.0, True, 30)
SCORE = m.OpenScoring("m1", "a1", bytes(32))
EXPORT = m.AskShare("m1")


def contract(action: str, **its: Any) -> Contract:
    return Contract(
        nonce=bytes(16), action=action, purpose="p", label_party=Member("bank", b"a" * 32),  # type: ignore[arg-type]
        feature_parties=[Member("bureau", b"b" * 32)], created=1_000, expires=2_000, **its,
    )  # fmt: skip


TRAIN = {"alignment": "a1", "model": "m1", "rows": 200, "key_bits": 2048}
COVERED: dict[str, tuple[Contract, m.Message]] = {
    "align": (contract("align", alignment="a1", rows=200), ALIGN),
    "trees": (contract("train", algorithm="trees", trees=10, max_depth=5, **TRAIN), TREES),
    "bin": (contract("bin", alignment="a1", binning="b1", rows=200, key_bits=2048), BIN),
    "linear": (contract("train", algorithm="linear", binning="b1", rounds=30, **TRAIN), LINEAR),
    "shared": (contract("train", algorithm="shared", binning="b1", rounds=30, **TRAIN), SHARED),
    "score": (contract("score", alignment="a1", model="m1", rows_per_hour=100), SCORE),
    "export": (contract("export", model="m1"), EXPORT),
}


def test_every_opening_is_tried_here() -> None:
    """No kind of job is left out of what follows."""
    assert {type(opening) for _, opening in COVERED.values()} == {*OPENINGS} - {m.ProposeContract}


@pytest.mark.parametrize("kind", COVERED)
def test_a_contract_covers_its_own_kind_of_job_alone(kind: str) -> None:
    """A linear contract does not allow trees, a binning no training, and so on, each way round."""
    agreed, opening = COVERED[kind]
    terms.check_opening(agreed, opening)
    for other, (_, another) in COVERED.items():
        if other != kind:
            with pytest.raises(NotAllowed, match=r"another (action|algorithm)"):
                terms.check_opening(agreed, another)


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
        terms.check_opening(agreed, msgspec.structs.replace(opening, **change))


@pytest.mark.parametrize("kind", COVERED)
def test_a_contract_says_what_it_is_about(kind: str) -> None:
    """Without its alignment, binning, model or algorithm, where it needs one, it is not signed."""
    agreed = msgspec.structs.replace(COVERED[kind][0], node_rows=5, histogram_rows=3)
    peer = Peer(fingerprint="a" * 64, identity=(b"a" * 32).hex(), allow=list(PERMISSIONS))
    terms.check_proposal(peer, agreed, 1_500.0)
    needed = {
        "align": ["alignment"], "bin": ["alignment", "binning"], "score": ["alignment", "model"],
        "export": ["model"],
    }  # fmt: skip
    for name in needed.get(kind, ["alignment", "model", "algorithm"]):
        with pytest.raises(NotAllowed, match=f"names no {name}"):
            terms.check_proposal(peer, msgspec.structs.replace(agreed, **{name: None}), 1_500.0)


@pytest.mark.parametrize("kind", ["bin", "trees", "linear", "shared"])
def test_a_short_key_is_in_no_contract(kind: str) -> None:
    """Whatever is computed under encryption, the key has 2,048 bits at least."""
    agreed = msgspec.structs.replace(COVERED[kind][0], node_rows=5, histogram_rows=3, key_bits=2047)
    peer = Peer(fingerprint="a" * 64, identity=(b"a" * 32).hex(), allow=["train"], limits=Limits())
    with pytest.raises(NotAllowed, match="key_bits=2047"):
        terms.check_proposal(peer, agreed, 1_500.0)


def test_rounds_beyond_the_peers_limit_are_not_signed() -> None:
    """Of a linear model, plain or on shares."""
    peer = Peer(
        fingerprint="a" * 64, identity=(b"a" * 32).hex(), allow=["train"], limits=Limits(max_rounds=29)
    )
    for kind in ("linear", "shared"):
        with pytest.raises(NotAllowed, match="rounds=30 asked"):
            terms.check_proposal(peer, COVERED[kind][0], 1_500.0)
