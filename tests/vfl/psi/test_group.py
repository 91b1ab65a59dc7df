"""The ristretto255 batches, against the vectors of three RFCs."""

from __future__ import annotations

import pytest
import rbcl

from vfl.errors import MalformedMessage
from vfl.psi.group import IDENTITY, check_points, hash_to_group, mask, new_scalar, split

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
    """No two scalars are the same, and each has the length of one."""
    scalars = {new_scalar() for _ in range(50)}
    assert len(scalars) == 50
    assert {len(scalar) for scalar in scalars} == {32}
