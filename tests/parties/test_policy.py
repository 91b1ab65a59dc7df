"""What a peer may ask: everything not granted is refused, in a sentence."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from parties import policy
from parties.config import Config
from parties.settings import PERMISSIONS, Limits, Peer
from vfl.errors import NotAllowed, UnknownPeer
from vfl.wire import messages as m
from vfl.wire.states import OPENINGS

ALIGN = m.OpenAlignment("a", "left", ["id:"], 100)
TRAIN = m.OpenTraining(
    model="m", alignment="a", fingerprint=b"f" * 32, fit_rows=b"\xff" * 20, watch_rows=b"\x00" * 20,
    public_key=b"n", fraction_bits=40, packed_rows=160, max_abs_g=1.0, max_h=1.0, max_bin=32, max_depth=5,
    trees=10,
)  # fmt: skip
BIN = m.OpenBinning("b", "a", b"f" * 32, b"\xff" * 20, b"n", 0, 160, 1.0, "quantile", 20)
LINEAR = m.OpenLinear("m", "a", b"f" * 32, None, 160, b"n", 1.0, 0.0, 1e-5, True, 30)
SHARED = m.OpenShared("m", "a", b"f" * 32, None, 160, b"n", 3, 4, 1.0, True, 30)


def peer(*allow: str, **limits: int) -> Peer:
    return Peer(fingerprint="a" * 64, allow=list(allow), limits=Limits(**limits))  # type: ignore[arg-type]


def test_every_opening_needs_a_permission() -> None:
    """No message that begins a job is outside the policy."""
    assert set(policy.PERMISSION_FOR) == set(OPENINGS) - {m.ProposeContract}
    assert set(policy.PERMISSION_FOR.values()) == set(PERMISSIONS)


@pytest.mark.parametrize(
    "opening",
    [ALIGN, TRAIN, BIN, LINEAR, SHARED, m.OpenScoring("m", "a", b"f" * 32), m.AskShare("m")],
    ids=lambda o: type(o).__name__,
)
def test_only_the_named_permission_opens(opening: m.Message) -> None:
    """A job of one kind is allowed by its own permission and by no other."""
    needed = policy.PERMISSION_FOR[type(opening)]
    policy.check_opening(peer(needed), opening, 0)
    with pytest.raises(NotAllowed, match=f"does not allow you to {needed}"):
        policy.check_opening(peer(*(set(PERMISSIONS) - {needed})), opening, 0)


@pytest.mark.parametrize(
    ("opening", "limits", "told"),
    [
        (ALIGN, {"max_rows": 99}, "rows=100 asked"),
        (TRAIN, {"max_trees": 9}, "trees=10 asked"),
        (TRAIN, {"max_depth": 4}, "max_depth=5 asked"),
        (TRAIN, {"min_rows": 161}, "training on 160 rows"),
        (TRAIN, {"open_jobs": 2}, "2 jobs open"),
        (BIN, {"min_rows": 161}, "training on 160 rows"),
        (LINEAR, {"max_rounds": 29}, "max_iter=30 asked"),
        (SHARED, {"max_rounds": 29}, "max_iter=30 asked"),
    ],
)
def test_limits_hold_to_the_number(opening: m.Message, limits: dict[str, int], told: str) -> None:
    """A limit refuses what is one beyond it and allows what meets it."""
    with pytest.raises(NotAllowed, match=told):
        policy.check_opening(peer("align", "train", **limits), opening, 2)
    name, limit = next(iter(limits.items()))
    wider = limit - 1 if name == "min_rows" else limit + 1
    policy.check_opening(peer("align", "train", **{name: wider}), opening, 2)


def test_identity_is_the_certificate(bureau: Config, bank: Config) -> None:
    """A fingerprint names its peer; any other, the empty one included, names nobody."""
    assert policy.peer_with(bureau, bureau.peers["bank"].fingerprint) == "bank"
    for stranger in ("", "0" * 64):
        with pytest.raises(UnknownPeer):
            policy.peer_with(bureau, stranger)


@pytest.mark.parametrize(
    ("policy_", "told"),
    [
        ("none", []),
        ("merged", ["bureau"] * 3),
        ("groups", ["bureau", "late", "late"]),
        ("columns", ["balance", "delays", "days_late"]),
    ],
)
def test_reasons_are_told_as_far_as_granted(bureau: Config, policy_: Any, told: list[str]) -> None:
    """Nothing, one value for the party, its groups with the rest merged, or every column."""
    data = msgspec.structs.replace(bureau.data, groups={"late": ["delays", "days_late"]})
    config = msgspec.structs.replace(bureau, data=data)
    granted = Peer(fingerprint="a" * 64, reasons=policy_)
    assert policy.reasons(config, granted, ["balance", "delays", "days_late"]) == told


def test_reasons_are_merged_unless_said_otherwise(bureau: Config) -> None:
    """The default names no column, whatever groups there are."""
    assert set(policy.reasons(bureau, Peer(fingerprint="a" * 64), ["balance", "delays"])) == {"bureau"}


def test_silence_means_no() -> None:
    """A peer without an allow list may ask for nothing, and another's job is not a peer's."""
    with pytest.raises(NotAllowed):
        policy.check_any(peer())
    policy.check_any(peer("score"))
    policy.check_owner("bank", "bank")
    with pytest.raises(NotAllowed, match="not yours"):
        policy.check_owner("bank", "other")
