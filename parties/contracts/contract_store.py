"""The contracts that a party stores: their bytes, who signed them, who approved them.

The table serves both sides. At a feature party a contract is ``waiting``, ``signed`` or ``rejected``; at a
label party it is ``proposed`` until all have signed. A contract is in force while it is signed, by all its
parties, and not expired.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from parties.keys import identity
from parties.keys.identity import Identity
from parties.storage import database
from vfl.errors import BadSignature, NotAllowed, StateError
from vfl.wire.contract import Action, Contract, decode_contract, digest_of
from vfl.wire.contract_messages import Signature

PROPOSED, WAITING, SIGNED, REJECTED = "proposed", "waiting", "signed", "rejected"
APPROVED = "approved"

_STATE = sa.select(database.contracts.c.state).where(database.contracts.c.digest == sa.bindparam("digest"))


class Decision(NamedTuple):
    """What a person decided. ``approver`` is a name of ``[approvers]``, or else an operating-system user."""

    approver: str
    decision: str
    time: str
    signature: bytes


class StoredContract(NamedTuple):
    """A contract and where it stands.

    columns: of this party, those that it covers.
    needed: how many people have to approve it.
    signatures: by identity, 64 hex digits.
    """

    digest: bytes
    peer: str
    contract: Contract
    columns: list[str]
    state: str
    needed: int
    created: str
    signatures: dict[str, bytes]
    decisions: list[Decision]

    def approved_by(self, approvers: Mapping[str, str]) -> list[str]:
        """Return who approved it.

        Args:
            approvers: public keys by name; where there are any, only what was signed with them counts.
        """
        return [
            each.approver
            for each in self.decisions
            if each.decision == APPROVED and (not approvers or _is_signed(self.digest, each, approvers))
        ]

    @property
    def complete(self) -> bool:
        """Whether all parties have signed."""
        return all(key.hex() in self.signatures for key in self.contract.identities)

    def verify(self) -> None:
        """Raise BadSignature where the terms, or a signature, are not what the parties signed."""
        if self.contract.digest() != self.digest:
            raise BadSignature("the stored terms of this contract do not fit its digest")
        for public, signature in self.signatures.items():
            identity.verify(public, "contract", self.digest, signature)


class ContractStore:
    """The contracts in a party's database."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(
        self, peer: str, contract: Contract, *, state: str, columns: Sequence[str] = (), needed: int = 0
    ) -> None:
        """Store a new contract; one that is stored already stays as it is."""
        row = {
            "digest": contract.digest().hex(),
            "peer": peer,
            "action": contract.action,
            "subject": contract.subject,
            "contract": contract.to_bytes(),
            "columns": json.dumps(list(columns)),
            "state": state,
            "needed": needed,
            "expires": contract.expires,
            "created": database.now(),
            "updated": database.now(),
        }
        self._insert(database.contracts, row)

    def get(self, digest: bytes) -> StoredContract | None:
        """Return a contract by its digest, None where there is none."""
        contracts = self._select(database.contracts.c.digest == digest.hex())
        return contracts[0] if contracts else None

    def state(self, digest: bytes) -> str | None:
        """Return where a contract stands now, None where there is none."""
        with self._engine.connect() as connection:
            state: str | None = connection.execute(_STATE, {"digest": digest.hex()}).scalar()
        return state

    def named(self, prefix: str) -> StoredContract:
        """Return the contract whose digest begins so; raises StateError where that is none or several."""
        contracts = [stored for stored in self.all() if stored.digest.hex().startswith(prefix.lower())]
        if len(contracts) != 1:
            raise StateError(f"{len(contracts)} contracts begin with {prefix}; see `vfl contracts list`")
        return contracts[0]

    def all(self, action: Action | None = None) -> list[StoredContract]:
        """Return all contracts, or those about one kind of job, the newest first."""
        return self._select(sa.true() if action is None else database.contracts.c.action == action)

    def faults(self) -> dict[str, str]:
        """Return what is wrong with each stored contract, by digest; an empty text where nothing is."""
        faults, table = {}, database.contracts.c
        with self._engine.connect() as connection:
            signatures = connection.execute(sa.select(database.signatures)).all()
            for digest, terms, state in connection.execute(
                sa.select(table.digest, table.contract, table.state)
            ):
                if not isinstance(terms, bytes) or digest_of(terms).hex() != digest:
                    faults[digest] = "its terms were changed"
                    continue
                signers = {row.identity for row in signatures if row.digest == digest and _is_good(row)}
                missing = [
                    key.hex()[:12] for key in decode_contract(terms).identities if key.hex() not in signers
                ]
                changed = state == SIGNED and missing
                faults[digest] = f"the signature of {missing[0]} was changed or removed" if changed else ""
        return faults

    def set_state(self, digest: bytes, state: str) -> None:
        table = database.contracts
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(table)
                .where(table.c.digest == digest.hex())
                .values(state=state, updated=database.now())
            )

    def sign(self, digest: bytes, own: Identity) -> bytes:
        """Sign a contract, store the signature and return it."""
        signature = own.sign("contract", digest)
        self._store_signature(digest, own.public, signature)
        return signature

    def add_signatures(self, contract: Contract, signatures: Sequence[Signature]) -> None:
        """Store signatures of a contract's parties.

        Raises:
            BadSignature: one is wrong; none is stored.
            NotAllowed: a signer is no party of the contract.
        """
        digest = contract.digest()
        for signed in signatures:
            if signed.identity not in contract.identities:
                raise NotAllowed("a signature of the contract is by none of its parties")
            identity.verify(signed.identity.hex(), "contract", digest, signed.signature)
        for signed in signatures:
            self._store_signature(digest, signed.identity.hex(), signed.signature)

    def decide(self, digest: bytes, approver: str, decision: str, signature: bytes) -> None:
        """Store what a person decided; raises StateError where they decided before."""
        row = {
            "digest": digest.hex(), "approver": approver, "decision": decision, "signature": signature,
            "time": database.now(),
        }  # fmt: skip
        if not self._insert(database.decisions, row):
            raise StateError(f"{approver} has decided on this contract already")

    def _store_signature(self, digest: bytes, public: str, signature: bytes) -> None:
        row = {"digest": digest.hex(), "identity": public, "signature": signature}
        self._insert(database.signatures, row)

    def _insert(self, table: sa.Table, row: Mapping[str, object]) -> bool:
        """Insert a row unless its key is taken; return whether it was inserted."""
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(table).values(row))
        except sa.exc.IntegrityError:
            return False
        return True

    def _select(self, where: sa.ColumnElement[bool]) -> list[StoredContract]:
        table = database.contracts
        digests = sa.select(table.c.digest).where(where)
        signatures: dict[str, dict[str, bytes]] = defaultdict(dict)
        decisions: dict[str, list[Decision]] = defaultdict(list)
        with self._engine.connect() as connection:
            rows = connection.execute(
                sa.select(table).where(where).order_by(table.c.created.desc(), table.c.digest)
            ).all()
            query = sa.select(database.signatures).where(database.signatures.c.digest.in_(digests))
            for row in connection.execute(query):
                signatures[row.digest][row.identity] = row.signature
            query = sa.select(database.decisions).where(database.decisions.c.digest.in_(digests))
            for row in connection.execute(query):
                decisions[row.digest].append(Decision(row.approver, row.decision, row.time, row.signature))
        return [
            StoredContract(
                bytes.fromhex(row.digest),
                row.peer,
                decode_contract(row.contract),
                json.loads(row.columns),
                row.state,
                row.needed,
                row.created,
                signatures[row.digest],
                decisions[row.digest],
            )
            for row in rows
        ]


def approval(digest: bytes, decision: str) -> bytes:
    """Return what a person signs who decides on a contract."""
    return decision.encode() + b"\0" + digest


def _is_good(row: Any) -> bool:
    """Return whether a row of signatures holds one of its contract, by the identity that it names."""
    try:
        identity.verify(row.identity, "contract", bytes.fromhex(row.digest), row.signature)
    except (BadSignature, ValueError, TypeError):
        return False
    return True


def _is_signed(digest: bytes, decision: Decision, approvers: Mapping[str, str]) -> bool:
    try:
        public = approvers.get(decision.approver, "")
        identity.verify(public, "approval", approval(digest, decision.decision), decision.signature)
    except BadSignature:
        return False
    return True
