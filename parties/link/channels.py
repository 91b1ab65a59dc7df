"""The one place that puts the channels from a party to its peers on each other."""

from __future__ import annotations

from parties.config import Config
from parties.ledger.channel import FrameChannel, LedgerChannel
from parties.ledger.entries import Ledger
from parties.ledger.heads import SigningChannel
from parties.link.handshake import HandshakeChannel
from parties.link.retry import PATIENCE, Patience, RetryingChannel
from vfl.wire.channel import Channel


def channel_to_peers(
    transport: Channel, ledger: Ledger, config: Config, *, retrying: bool, patience: Patience = PATIENCE
) -> Channel:
    """Return what carries a label party's messages.

    From the transport outwards: every exchange goes into the ledger, also one that failed; a message without
    an answer is sent again; a job that ends is signed; the first message to a peer follows a handshake. The
    heading of a frame is read once, outermost, and passed inwards with it.

    Args:
        transport: carries frames.
        ledger: takes the entries, and is signed.
        config: of the label party.
        retrying: whether somebody waits for the work and not for an answer: a scoring request has a fallback
            and no time for a second try.
        patience: how long a message is tried again.
    """
    channel: FrameChannel = channel_for_handshakes(transport, ledger)
    if retrying:
        channel = RetryingChannel(channel, patience)
    return HandshakeChannel(SigningChannel(channel, ledger, config))


def channel_for_handshakes(transport: Channel, ledger: Ledger) -> LedgerChannel:
    """Return what carries handshakes that the caller does itself: recorded, never sent again, no job."""
    return LedgerChannel(transport, ledger)
