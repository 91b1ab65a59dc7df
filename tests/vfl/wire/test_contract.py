"""Contracts: one form of bytes, one digest, and nothing unsaid."""

from __future__ import annotations

import msgspec
import pytest

from vfl.errors import MalformedMessage
from vfl.wire.contract import Contract, Member, decode_contract

CONTRACT = Contract(
    nonce=bytes(16), action="train", purpose="fraud", label_party=Member("bank", b"a" * 32),
    feature_parties=[Member("telco", b"b" * 32, ["calls"])], alignment="a1", model="m1", rows=100,
    terms={"trees": 5, "max_depth": 3}, key_bits=2048, created=1_000, expires=2_000,
)  # fmt: skip


def test_a_contract_is_its_bytes() -> None:
    """What is encoded comes back the same, with the same digest."""
    again = decode_contract(CONTRACT.to_bytes())
    assert again == CONTRACT
    assert again.digest() == CONTRACT.digest()


@pytest.mark.parametrize("name", Contract.__struct_fields__)
def test_no_term_can_change_under_a_digest(name: str) -> None:
    """Every term goes into the digest that is signed."""
    others = {
        "version": 3, "nonce": b"x" * 16, "action": "score", "purpose": "else", "alignment": "a2",
        "model": "m2", "label_party": Member("bank", b"c" * 32),
        "feature_parties": [Member("telco", b"b" * 32, [])], "terms": {"trees": 6, "max_depth": 3},
    }  # fmt: skip
    other = others.get(name, 7)
    assert msgspec.structs.replace(CONTRACT, **{name: other}).digest() != CONTRACT.digest()


def test_bytes_that_are_no_contract_are_refused() -> None:
    """Cut, longer, of another version, or with a party twice: not a contract."""
    content = CONTRACT.to_bytes()
    twice = msgspec.structs.replace(CONTRACT, feature_parties=[CONTRACT.label_party])
    newer = msgspec.structs.replace(CONTRACT, version=3)  # type: ignore[arg-type]
    for bad in (b"", content[:-1], content + b"x", twice.to_bytes(), newer.to_bytes()):
        with pytest.raises(MalformedMessage):
            decode_contract(bad)


def test_a_second_way_of_writing_the_same_terms_is_refused() -> None:
    """The same terms in another order would have another digest; only one form is taken."""
    terms = msgspec.to_builtins(CONTRACT, builtin_types=(bytes,))
    turned = msgspec.msgpack.encode(dict(reversed(terms.items())))
    assert msgspec.msgpack.decode(turned, type=Contract) == CONTRACT
    with pytest.raises(MalformedMessage, match="canonical"):
        decode_contract(turned)
