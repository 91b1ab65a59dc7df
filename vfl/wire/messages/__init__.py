"""Every message that crosses between a label party and a feature party, one module for each subject.

Messages are frozen and check their own bounds when they are decoded. Arrays travel as bytes: points
of 32 bytes, ciphertexts as little-endian limbs, positions as little-endian ``uint32``, bitmaps with the
first row in the lowest bit of the first byte. ``docs/protocol.md`` says what each one reveals.
"""

# ruff: noqa: F403, F405 - the messages of every subject are the messages of the package

from __future__ import annotations

from vfl.wire.messages.alignment import *
from vfl.wire.messages.binning import *
from vfl.wire.messages.contract import *
from vfl.wire.messages.fields import *
from vfl.wire.messages.ledger import *
from vfl.wire.messages.linear import *
from vfl.wire.messages.scoring import *
from vfl.wire.messages.shared import *
from vfl.wire.messages.training import *

Request = (
    ContractRequest
    | AlignmentRequest
    | TrainingRequest
    | BinningRequest
    | LinearRequest
    | SharedRequest
    | ScoringRequest
    | LedgerRequest
)

Reply = (
    ContractReply
    | AlignmentReply
    | TrainingReply
    | BinningReply
    | LinearReply
    | SharedReply
    | ScoringReply
    | LedgerReply
    | Refusal
)
