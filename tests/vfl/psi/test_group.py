"""The ristretto255 batches, against the vectors of three RFCs."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from types import ModuleType

import pytest
import rbcl

from vfl.errors import MalformedMessage
from vfl.psi import _reference, group
from vfl.psi.group import ORDER, check_points, hash_to_group, mask, new_scalar

try:
    from vfl.psi import _native
except ImportError:
    _native = None

IDENTITY = bytes(32)
ENGINES = {
    "reference": _reference,
    "native": pytest.param(
        _native,
        marks=pytest.mark.skipif(
            _native is None or not _native.has_ifma(), reason="needs the compiled points and AVX-512 IFMA"
        ),
    ),
}


@pytest.fixture(params=ENGINES.values(), ids=ENGINES.keys(), autouse=True)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Run every test of this file on both arithmetics."""
    monkeypatch.setattr(group, "_points", request.param)
    return request.param


def split(points: bytes) -> list[bytes]:
    return [points[at : at + 32] for at in range(0, len(points), 32)]


# RFC 9496, appendix A.1: the generator times 1, 2, ..., 8.
MULTIPLES = [
    bytes.fromhex(encoding)
    for encoding in (
        "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
        "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
        "94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259",
        "da80862773358b466ffadfe0b3293ab3d9fd53c5ea6c955358f568322daf6a57",
        "e882b131016b52c1d3337080187cf768423efccbb517bb495ab812c4160ff44e",
        "f64746d3c92b13050ed8d80236a7f0007c3b3f962f5ba793d19a601ebb1df403",
        "44f53520926ec81fbd5a387845beb7df85a96a24ece18738bdcfa6a7822a176d",
        "903293d8f2287ebe10e2374dc1a53e0bc887e592699f02d077d5263cdd55601c",
    )
]

# RFC 9496, appendix A.2: encodings that must be refused, and why.
INVALID = {
    "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff": "non-canonical",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f": "non-canonical",
    "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f": "non-canonical",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f": "non-canonical",
    "0100000000000000000000000000000000000000000000000000000000000000": "negative",
    "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f": "negative",
    "ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20": "negative",
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371": "non-square x^2",
    "4eac077a713c57b4f4397629a4145982c661f48044dd3f96427d40b147d9742f": "non-square x^2",
    "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e": "negative xy",
    "a45fdc55c76448c049a1ab33f17023edfb2be3581e9c7aade8a6125215e04220": "negative xy",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f": "s = -1, y = 0",
}

# RFC 9497, appendix A.1.1: OPRF(ristretto255, SHA-512). The blinded element is the input hashed to the
# group under the tag of section 4.1 and multiplied by the blind.
OPRF_TAG = b"HashToGroup-OPRFV1-\x00-ristretto255-SHA512"
OPRF_BLIND = bytes.fromhex("64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706")
OPRF_BLINDED = {
    "\x00": "609a0ae68c15a3cf6903766461307e5c8bb2f95e7e6550e1ffa2dc99e412803c",
    "Z" * 17: "da27ef466870f5f15296299850aa088629945a17d1f5b7f5ff043f76b3c06418",
}


def test_multiples_of_the_generator() -> None:
    """Masking multiplies: the generator times k is the encoding in RFC 9496."""
    for k, encoding in enumerate(MULTIPLES, start=1):
        assert mask(MULTIPLES[0], k.to_bytes(32, "little")) == encoding


@pytest.mark.parametrize("encoding", INVALID, ids=lambda encoding: f"{INVALID[encoding]}-{encoding[:4]}")
def test_invalid_encodings_are_refused(encoding: str) -> None:
    """A foreign encoding that RFC 9496 forbids is refused among valid ones, masked or only checked."""
    points = MULTIPLES[1] + bytes.fromhex(encoding) + MULTIPLES[2]
    with pytest.raises(MalformedMessage, match="canonical"):
        mask(points, new_scalar())
    with pytest.raises(MalformedMessage, match="canonical"):
        check_points(points)


def test_the_identity_is_refused() -> None:
    """The identity would stay the identity under any scalar, so no foreign point may be it."""
    for function in (check_points, lambda points: mask(points, new_scalar())):
        with pytest.raises(MalformedMessage, match="identity"):
            function(MULTIPLES[0] + IDENTITY)


def test_broken_points_are_refused() -> None:
    """Bytes that are not whole points are refused, and no bytes at all are no points."""
    with pytest.raises(MalformedMessage, match="33 bytes"):
        mask(bytes(33), new_scalar())
    assert split(b"") == []
    assert mask(b"", new_scalar()) == b""
    check_points(b"")


@pytest.mark.parametrize("text", OPRF_BLINDED, ids=["00", "5a x 17"])
def test_hashing_to_the_group(text: str) -> None:
    """Hash to group, then mask, gives the blinded element of RFC 9497."""
    assert mask(hash_to_group([text], OPRF_TAG), OPRF_BLIND).hex() == OPRF_BLINDED[text]


def test_the_tag_separates() -> None:
    """Another domain separation tag gives unrelated points."""
    assert hash_to_group(["C1"]) != hash_to_group(["C1"], b"another protocol")


def test_masks_commute_and_keep_the_order() -> None:
    """Two masks give the same points in either order, each point in its place, on one thread or more."""
    keys = [f"C{i}" for i in range(1_100)]
    first, second = new_scalar(), new_scalar()
    points = hash_to_group(keys)
    both = mask(mask(points, first), second)
    assert both == mask(mask(points, second), first)
    assert split(both)[777] == mask(mask(hash_to_group(["C777"]), first), second)
    assert len(set(split(both))) == len(keys)
    assert mask(both, rbcl.crypto_core_ristretto255_scalar_invert(first)) == mask(points, second)


def test_scalars_are_fresh() -> None:
    """Scalars are between 1 and the order of the group, and no two are the same."""
    scalars = {new_scalar() for _ in range(50)}
    assert len(scalars) == 50
    assert all(0 < int.from_bytes(scalar, "little") < ORDER for scalar in scalars)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 300])
def test_both_arithmetics_agree(engine: ModuleType, count: int) -> None:
    """Any number of points, random or at the edges of the field, comes out as libsodium gives it."""
    draw = random.Random(count)
    edges = [
        bytes(64),
        b"\xff" * 64,
        (2**255 - 19).to_bytes(32, "little") * 2,
        (2**255 - 20).to_bytes(32, "little") * 2,
    ]
    uniform = b"".join(edges[n] if n < len(edges) else draw.randbytes(64) for n in range(count))
    points = _reference.from_uniform(uniform)
    assert engine.from_uniform(uniform) == points
    for scalar in (1, 8, 15, 16, 0x88888888, ORDER - 1, draw.randrange(1, ORDER), draw.randrange(1, ORDER)):
        encoded = scalar.to_bytes(32, "little")
        nonzero = b"".join(point for point in split(points) if any(point))
        assert engine.multiply(nonzero, encoded) == _reference.multiply(nonzero, encoded)


def test_one_bad_encoding_anywhere_is_found(engine: ModuleType) -> None:
    """Bytes at random are judged as libsodium judges them, alone and in any place of a batch."""
    draw = random.Random(1)
    good = hash_to_group([f"C{i}" for i in range(20)])
    for _ in range(60):
        encoding = (draw.getrandbits(254) & ~1).to_bytes(32, "little")
        place = 32 * draw.randrange(21)
        batch = good[:place] + encoding + good[place:]
        assert engine.are_points(batch) == _reference.are_points(encoding)
    assert not engine.are_points(good + IDENTITY)


def test_broken_lengths_are_refused(engine: ModuleType) -> None:
    """Neither arithmetic reads past the end of bytes that are not whole elements, nor a larger scalar."""
    for scalar in (bytes(31), b"\xff" * 32):
        with pytest.raises(ValueError, match="scalar"):
            engine.multiply(MULTIPLES[0], scalar)
    for call in (lambda: engine.multiply(bytes(31), bytes(32)), lambda: engine.from_uniform(bytes(65))):
        with pytest.raises(ValueError, match="whole"):
            call()
    with pytest.raises(ValueError, match="whole"):
        engine.are_points(bytes(1))


def test_nothing_is_left_in_the_temporary_folder(tmp_path) -> None:
    """Importing and using the group leaves no unpacked library behind."""
    code = "from vfl.psi import group; assert len(group.hash_to_group(['C1'])) == 32"
    for environment in ({}, {"VFL_PURE_PYTHON": "1"}):
        environment |= os.environ | {"TMPDIR": str(tmp_path)}
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []


def test_the_reference_can_be_forced() -> None:
    """VFL_PURE_PYTHON=1 keeps the compiled points out, and the name says which ones run."""
    code = "from vfl.psi.group import arithmetic_name; print(arithmetic_name())"
    command = [sys.executable, "-c", code]
    forced = subprocess.run(
        command, env=os.environ | {"VFL_PURE_PYTHON": "1"}, capture_output=True, check=True
    )
    assert forced.stdout.strip() == b"reference"
