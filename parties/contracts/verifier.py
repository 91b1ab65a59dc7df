"""A feature party's answers to proposed contracts: rules decide, then people where a peer needs approvals."""

from __future__ import annotations

import sqlalchemy as sa

from parties.config import Config
from parties.contracts import rules
from parties.contracts.columns import agreed_columns
from parties.contracts.contract_store import (
    REJECTED,
    SIGNED,
    WAITING,
    ContractStore,
    StoredContract,
)
from parties.contracts.row_quota import RowQuota
from parties.data.rows import Source
from parties.keys import identity
from parties.telemetry.clock import SYSTEM_CLOCK, Clock
from vfl.errors import NotAllowed
from vfl.model.question import Question
from vfl.wire import contract_messages as m
from vfl.wire.contract import decode_contract
from vfl.wire.message import Message


class ContractVerifier:
    """Signs contracts, and says which one a message is under.

    Args:
        config: the party's configuration.
        engine: its database, which stores contracts.
        source: this party's rows, whose columns a contract names.
        clock: seconds since 1970, UTC, that expiry is compared with.
    """

    def __init__(
        self, config: Config, engine: sa.Engine, source: Source, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._clock = clock
        self._config, self._contracts, self._source = config, ContractStore(engine), source
        self._quota = RowQuota(engine)
        self._in_force: dict[bytes, StoredContract] = {}

    def answer(self, peer: str, request: m.ProposeContract) -> m.ContractAnswered:
        """Sign a contract, say that it waits for people, or refuse it.

        Raises:
            MalformedMessage: it is no contract.
            NotAllowed: the rules or the people of this party say no.
            BadSignature: the label party has not signed it, or somebody's signature is wrong.
        """
        contract = decode_contract(request.contract)
        digest = contract.digest()
        own = identity.load(self._config)
        stored = self._contracts.get(digest)
        if stored is None:
            grant = self._config.peers[peer]
            rules.check_proposal(grant, contract, self._clock())
            member = rules.own_member(contract, bytes.fromhex(own.public))
            columns = []
            if contract.action != "align":
                columns = agreed_columns(self._config, grant, member, self._source.rows().table.names)
            if contract.label_party.identity not in [signed.identity for signed in request.signatures]:
                raise NotAllowed("the contract does not bear your own signature")
            self._contracts.add(peer, contract, state=WAITING, columns=columns, needed=grant.approvals)
        self._contracts.add_signatures(contract, request.signatures)
        stored = self._stored(digest, peer)
        if stored.state == REJECTED:
            raise NotAllowed("people of this party rejected this contract; propose another one")
        missing = stored.needed - len(stored.approved_by(self._config.approvers))
        if stored.state == WAITING and missing <= 0:
            self._contracts.sign(digest, own)
            self._contracts.set_state(digest, SIGNED)
            stored = self._stored(digest, peer)
        if stored.state == SIGNED:
            return m.ContractAnswered("signed", 0, stored.signatures[own.public])
        return m.ContractAnswered("waiting", missing, b"")

    def in_force(self, peer: str, digest: bytes) -> StoredContract:
        """Return the contract that a message names.

        Its state is read for every message, so that a rejection by people, in whichever process, ends it at
        once. The rest never changes once all have signed, and is read and verified once.

        Raises:
            NotAllowed: it does not hold.
            BadSignature: it is not what was signed.
        """
        now = self._clock()
        cached = self._in_force.get(digest)
        if cached is not None and (state := self._contracts.state(digest)) is not None:
            return rules.check_in_force(cached._replace(state=state), peer, now)
        stored = rules.check_in_force(self._contracts.get(digest), peer, now)
        stored.verify()
        valid = {key: value for key, value in self._in_force.items() if now < value.contract.expires}
        self._in_force = valid | {digest: stored}
        return stored

    def check_message(self, stored: StoredContract, opening: type[Message], message: Message) -> None:
        """Refuse a message within a job that goes beyond its contract; raises NotAllowed or RateExceeded."""
        rules.check_message(stored.contract, opening, message)
        if isinstance(message, Question):
            rows = len(message.rows) // 4
            self._quota.consume(stored.digest, stored.contract, rows, self._clock())

    def _stored(self, digest: bytes, peer: str) -> StoredContract:
        stored = self._contracts.get(digest)
        if stored is None or stored.peer != peer:
            raise NotAllowed("this contract is another peer's")
        return stored
