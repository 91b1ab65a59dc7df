"""A label party's desk without the label party's own software: it proposes and asks whatever it likes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from random import Random
from types import TracebackType
from typing import Any

from parties.config import Config
from parties.keys import identity
from parties.link.transport import HttpsChannel
from tests.faults.scene import Scene
from tests.faults.table import ACCEPTED, Fault
from vfl import jobs
from vfl.algorithms.linear.messages import OpenLinear
from vfl.algorithms.scorecard.messages import OpenBinning
from vfl.algorithms.trees import messages as m
from vfl.errors import PeerError, PeerRefused
from vfl.jobs import PROTOCOL
from vfl.wire.contract import Action, Contract, Member
from vfl.wire.contract_messages import ContractAnswered, ProposeContract, Signature
from vfl.wire.message import Message, Refusal
from vfl.wire.session import LabelSession

DAY = 86_400
TREES, DEPTH, ROUNDS, RATE = 2, 3, 3, 100
USUAL_TERMS = {
    "trees": {"trees": TREES, "max_depth": DEPTH, "node_rows": 5, "histogram_rows": 3},
    "linear": {"rounds": ROUNDS},
}
"""By algorithm, the terms of a contract that the bureau would sign."""

KEY = b"\x91" * 256
"""A public key that nothing is decrypted with."""

CIPHERTEXT = (2).to_bytes(2 * len(KEY), "little")
"""A number that it might have encrypted something to."""


class Desk:
    """One label party's connection to the bureau, and what it needs to write messages by hand.

    Args:
        party: the label party.
        name: of what it makes, new.
    """

    def __init__(self, scene: Scene, party: Config, name: str) -> None:
        self.scene, self.party, self.name = scene, party, name
        self.channel = HttpsChannel(party)
        self.own = identity.load(party)
        self.aligned = scene.aligned()
        self.rows = len(self.aligned.identifiers)

    def __enter__(self) -> Desk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.channel.close()

    def draft(self, action: Action, **changes: Any) -> Contract:
        """Return a contract that the bureau would sign, with some fields or terms of it changed."""
        now, party = int(time.time()), self.party
        algorithm = changes.get("algorithm", "trees") if action == "train" else None
        terms = {name: changes.pop(name) for name in jobs.terms() if name in changes}
        usual: dict[str, Any] = {
            "nonce": secrets.token_bytes(16),
            "purpose": "fraud",
            "label_party": Member(party.party.name, bytes.fromhex(self.own.public)),
            "feature_parties": [member(self.scene.bureau)],
            "alignment": self.name if action == "align" else "undisturbed",
            "model": {"train": self.name, "score": "undisturbed", "export": "undisturbed"}.get(action),
            "binning": self.name if action == "bin" else None,
            "algorithm": algorithm,
            "rows": self.rows,
            "terms": USUAL_TERMS.get(algorithm or "", {}) | terms,
            "rows_per_hour": RATE if action == "score" else 0,
            "key_bits": 2048,
            "created": now,
            "expires": now + DAY,
        }
        return Contract(action=action, **(usual | changes))

    def propose(self, contract: Contract, *signatures: Signature, signed: bool = True) -> None:
        """Ask the bureau to sign a contract, which bears this party's signature unless told otherwise."""
        digest = contract.digest()
        own = [Signature(bytes.fromhex(self.own.public), self.own.sign("contract", digest))]
        request = ProposeContract(contract.to_bytes(), [*(own if signed else []), *signatures])
        self.session(digest).ask(request, ContractAnswered)

    def under(self, contract: Contract) -> LabelSession:
        """Return a new conversation under a contract, proposed now."""
        self.propose(contract)
        return self.session(contract.digest())

    def agreed(self, action: Action, **terms: Any) -> LabelSession:
        """Return a new conversation under a new contract."""
        return self.under(self.draft(action, **terms))

    def session(self, digest: bytes, job: str | None = None) -> LabelSession:
        return LabelSession(self.channel, "bureau", job, contract=digest)

    def opening(self, **changes: Any) -> m.OpenTraining:
        """Return an opening of a training within its contract, with some fields changed."""
        fields: dict[str, Any] = {
            "model": self.name, "fit_rows": self.first(), "watch_rows": self.first(0), "fraction_bits": 30,
            "packed_rows": self.rows, "max_abs_g": 1.0, "max_h": 1.0, "max_bin": 16, "max_depth": DEPTH,
            "trees": TREES,
        }  # fmt: skip
        return m.OpenTraining(**(self._common() | fields | changes))

    def linear(self, **changes: Any) -> OpenLinear:
        """Return an opening of a linear training within its contract, with some fields changed."""
        fields: dict[str, Any] = {
            "model": self.name, "binning": None, "rows": self.rows, "l2": 1.0, "l1": 0.0, "tol": 1e-5,
            "standardise": True, "rounds": ROUNDS,
        }  # fmt: skip
        return OpenLinear(**(self._common() | fields | changes))

    def binning(self, **changes: Any) -> OpenBinning:
        """Return an opening of a binning within its contract, with some fields changed."""
        fields: dict[str, Any] = {
            "binning": self.name, "fit_rows": self.first(), "fraction_bits": 0, "max_weight": 1.0,
            "packed_rows": 1 << self.rows.bit_length(), "prebinning": "quantile", "max_prebins": 200,
        }  # fmt: skip
        return OpenBinning(**(self._common() | fields | changes))

    def first(self, count: int | None = None) -> bytes:
        """Return a bitmap over the aligned rows of which the first ones are set; all by default."""
        ones = self.rows if count is None else count
        return ((1 << ones) - 1).to_bytes(-(-self.rows // 8), "little")

    def frame(self, frame: bytes) -> None:
        """Send a frame as it is; raises PeerRefused."""
        answer = PROTOCOL.decode_reply(self.channel.exchange("bureau", frame)).body
        if isinstance(answer, Refusal):
            raise PeerRefused("bureau", answer.code, answer.text)

    def begun(self, **changes: Any) -> LabelSession:
        """Return a training that has been opened, with some fields of its opening changed."""
        session = self.agreed("train", trees=changes.get("trees", TREES))
        session.ask(self.opening(**changes), m.TrainingOpened)
        return session

    def _common(self) -> dict[str, Any]:
        return {"alignment": "undisturbed", "fingerprint": self.aligned.fingerprint, "public_key": KEY}


Ask = Callable[[Desk], object]


def refused(name: str, code: str, words: str, ask: Ask, *, by: str = "bank") -> Fault:
    """Return a violation: it must be refused with a code, in a sentence that has some words."""
    expected = f"{code}: {words}"

    def inject(scene: Scene, new: str, random: Random) -> str:
        with Desk(scene, getattr(scene, by), new) as desk:
            try:
                ask(desk)
            except PeerRefused as error:
                told = str(error)
                return expected if error.peer_code == code and words in told else told
            except PeerError as error:
                return expected if error.code == code and words in str(error) else f"{error.code}: {error}"
        return ACCEPTED

    return Fault(name, expected, inject)


def member(party: Config) -> Member:
    """Return a party as contracts name it."""
    return Member(party.party.name, bytes.fromhex(identity.load(party).public))


def grow_root(session: LabelSession, tree: int = 0, rows: bytes = b"") -> m.LevelGrown:
    """Open a tree on some rows, by default all, send ciphertexts, and ask for the sums of its root."""
    count = session.ask(m.OpenTree(tree, rows, []), m.TreeOpened).rows
    session.ask(m.Gradients(0, CIPHERTEXT * count), m.GradientsTaken)
    return session.ask(m.SumRoot(), m.LevelGrown)


def ask(session: LabelSession, request: Message) -> Message:
    """Ask for whatever answers a request."""
    return session.ask(request, PROTOCOL.replies[type(request)])
