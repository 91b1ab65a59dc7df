"""Every error the library raises, in two families: what this party has to fix, and what its peer has to.

Each class carries a stable ``code`` (it crosses the wire in a refusal) and the HTTP status that a
server answers with. Messages say what to do next; none ever carries a key, a plaintext, a label or a
customer identifier.
"""

from __future__ import annotations


class VflError(Exception):
    """Base of everything raised on purpose. ``str(error)`` is safe to show and to log."""

    code = "error"
    http_status = 500


# --- ours: the party that raises it can fix it ---------------------------------------------------


class LocalError(VflError):
    """This party's own configuration, data or state is at fault."""

    code = "local"


class ConfigError(LocalError):
    """A configuration file or option is wrong; the message lists every mistake found."""

    code = "config"


class ParameterError(LocalError, ValueError):
    """A parameter is outside its documented range."""

    code = "parameter"


class DataError(LocalError):
    """A data source cannot be used as it is; the message names the column and counts, not values."""

    code = "data"


class KeyFileError(LocalError):
    """A key file is missing, damaged, too open, or the password is wrong."""

    code = "key_file"


class StateError(LocalError):
    """What this party has stored does not fit what was asked of it (unknown model, alignment, job)."""

    code = "state"
    http_status = 404


# --- the peer's: the other side has to fix it ----------------------------------------------------


class PeerError(VflError):
    """The other side sent something that cannot be accepted."""

    code = "peer"
    http_status = 400


class MalformedMessage(PeerError):
    """Bytes that are not a well-formed message of this protocol version."""

    code = "malformed"


class VersionMismatch(MalformedMessage):
    """The two parties speak no common version of the protocol."""

    code = "version"


class TooLarge(PeerError):
    """A message or one of its fields is larger than the stated limit."""

    code = "too_large"
    http_status = 413


class OutOfSequence(PeerError):
    """A well-formed message that the state of the job does not allow now."""

    code = "out_of_sequence"
    http_status = 409


class Replayed(PeerError):
    """A message whose sequence number was already used in this job."""

    code = "replayed"
    http_status = 409


class Interrupted(PeerError):
    """A job that this party ended: after a restart, or to make room. A new job may resume."""

    code = "interrupted"
    http_status = 409


class UnknownPeer(PeerError):
    """The certificate belongs to nobody in this party's configuration."""

    code = "unknown_peer"
    http_status = 403


class NotAllowed(PeerError):
    """This party's policy does not allow what was asked."""

    code = "not_allowed"
    http_status = 403


class AwaitingApproval(PeerError):
    """People at a feature party have to approve a contract before anything runs."""

    code = "awaiting_approval"
    http_status = 409


class RateExceeded(PeerError):
    """Requests named more customers in a period than the contract allows."""

    code = "rate_exceeded"
    http_status = 429


class BadSignature(PeerError):
    """A signature that the named identity did not make over these bytes."""

    code = "bad_signature"
    http_status = 403


class BadCiphertext(PeerError):
    """A ciphertext outside 1..n^2-1, or one that shares a factor with n."""

    code = "bad_ciphertext"
    http_status = 422


class OutOfRange(PeerError):
    """A decrypted sum, or a number in a message, lies outside what the job's bounds allow."""

    code = "out_of_range"
    http_status = 422


class NotAligned(PeerError):
    """The parties' ordered rows differ: align again before training or scoring."""

    code = "not_aligned"
    http_status = 409


class LedgersDiffer(PeerError):
    """The two parties' ledgers do not hold the same exchanges of a job."""

    code = "ledgers_differ"
    http_status = 409


class PeerUnreachable(PeerError):
    """No connection, no answer in time, or a certificate that is not the configured one."""

    code = "unreachable"
    http_status = 503


class PeerRefused(PeerError):
    """The peer answered with a refusal; ``peer_code`` is the code of its error.

    Args:
        peer: the name of the peer as configured here.
        peer_code: the ``code`` of the error at the peer's side.
        text: the peer's sentence, bounded in length by the wire.
    """

    code = "refused"
    http_status = 502

    def __init__(self, peer: str, peer_code: str, text: str) -> None:
        super().__init__(f"{peer} refused ({peer_code}): {text}")
        self.peer = peer
        self.peer_code = peer_code
