"""A label party's connections: who may have them, and what their parts are told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from parties.config import Config
from parties.label.client import LabelClient
from parties.link.retry import Patience
from vfl.crypto.paillier import PrivateKey
from vfl.errors import ConfigError, PeerUnreachable, StateError
from vfl.trace import Span


class Silence:
    """A transport whose peers never answer."""

    def __init__(self) -> None:
        self.closed = False

    def exchange(self, peer: str, frame: bytes) -> bytes:
        raise PeerUnreachable(f"{peer} is silent")

    def spans(self) -> dict[str, list[Span]]:
        return {"bureau": []}

    def close(self) -> None:
        self.closed = True


def test_only_a_label_party_with_peers_connects(bank: Config, bureau: Config) -> None:
    """The error says which command helps."""
    with pytest.raises(ConfigError, match="bureau is a feature party"):
        LabelClient(bureau)
    with pytest.raises(ConfigError, match="vfl party add-peer"):
        LabelClient(msgspec.structs.replace(bank, peers={}))


def test_parts_come_from_outside(bank: Config, bureau: Config, join: Any, private_key: PrivateKey) -> None:
    """Transport, patience and key are the ones that were passed in."""
    joined, silence = join(bank, bureau, "https://bureau.test"), Silence()
    client = LabelClient(
        joined, transport=silence, patience=Patience(seconds=0.0), open_key=lambda config: private_key
    )
    assert client.private_key() is private_key
    assert client.peer_spans() == {"bureau": []}
    with pytest.raises(PeerUnreachable, match="is silent"):
        client.align(name="a1")
    with pytest.raises(StateError, match="run `vfl align` first"):
        client.load_alignment(None)
    client.close()
    assert silence.closed
