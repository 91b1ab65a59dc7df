"""The one stack of channels from a party to its peers, whoever talks to them."""

from __future__ import annotations

from parties.config import Config
from parties.ledger.entries import Ledger, LedgerChannel
from parties.ledger.heads import SigningChannel
from parties.link.handshake import HandshakeChannel
from parties.link.retry import PATIENCE, Patience, RetryingChannel
from vfl.wire.channel import Channel


def channel_to_peers(
    transport: Channel, ledger: Ledger, config: Config, *, retrying: bool, patience: Patience = PATIENCE
) -> Channel:
    """Return what carries a label party's messages.

    From the transport outwards: every exchange goes into the ledger, also one that failed; a message that got
    no answer is sent again; a job that ends is signed; a peer is greeted before the first message to it.

    Args:
        transport: carries frames.
        ledger: takes the entries, and is signed.
        config: of the label party.
        retrying: whether somebody waits for the work and not for an answer: a scoring request has a fallback
            and no time for a second try.
        patience: how long a message is tried again.
    """
    channel: Channel = LedgerChannel(transport, ledger)
    if retrying:
        channel = RetryingChannel(channel, patience)
    return HandshakeChannel(SigningChannel(channel, ledger, config))
