"""Messages that are sent again, and those that are not."""

from __future__ import annotations

import pytest

from parties.link.retry import Patience, RetryingChannel
from parties.link.transport import NoConnection, Untrusted
from vfl.errors import PeerUnreachable

QUICK = Patience(first_pause=0.001, longest_pause=0.002)


class Peer:
    """Fails as it is told, call by call, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def exchange(self, peer: str, frame: object) -> bytes:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return b"reply"


def test_a_message_without_an_answer_is_sent_again() -> None:
    """An answer that was lost comes with the next try, and so does one of a peer that was there before."""
    peer = Peer(PeerUnreachable("lost"), NoConnection("restarting"))
    channel = RetryingChannel(peer, QUICK)
    assert channel.exchange("bureau", b"ask") == b"reply"
    assert peer.calls == 3


@pytest.mark.parametrize("error", [NoConnection("never there"), Untrusted("another certificate")])
def test_a_peer_that_was_never_there_or_is_not_trusted_is_not_tried_again(error: Exception) -> None:
    """The first message fails at once: an address may be wrong, and a certificate stays wrong."""
    peer = Peer(error)
    with pytest.raises(type(error)):
        RetryingChannel(peer, QUICK).exchange("bureau", b"ask")
    assert peer.calls == 1


def test_patience_ends() -> None:
    """After so many seconds the error is raised."""
    peer = Peer(*[PeerUnreachable("lost")] * 1_000)
    with pytest.raises(PeerUnreachable):
        RetryingChannel(peer, QUICK._replace(seconds=0.02)).exchange("bureau", b"ask")
    assert 1 < peer.calls < 100
