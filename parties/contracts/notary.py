"""A feature party's answers to proposed contracts: rules decide, then people where they are asked for."""

from __future__ import annotations

import sqlalchemy as sa

from parties.config import Config
from parties.contracts import terms
from parties.contracts.kept import REJECTED, SIGNED, WAITING, Contracts, Kept, check_in_force, seconds_now
from parties.contracts.rates import Rates
from parties.keys import identity
from parties.rows import Source
from vfl.errors import NotAllowed
from vfl.wire import messages as m
from vfl.wire.contract import decode_contract


class Notary:
    """Signs contracts, and says which one a message is under.

    Args:
        config: the party's configuration.
        engine: its database, with the contracts that are kept.
        source: this party's rows, whose columns a contract names.
    """

    def __init__(self, config: Config, engine: sa.Engine, source: Source) -> None:
        self._config, self._contracts, self._source = config, Contracts(engine), source
        self._rates = Rates(engine)
        self._in_force: dict[bytes, Kept] = {}

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
        kept = self._contracts.get(digest)
        if kept is None:
            grant = self._config.peers[peer]
            terms.check_proposal(grant, contract, seconds_now())
            member = terms.own_member(contract, bytes.fromhex(own.public))
            columns = []
            if contract.action != "align":
                columns = terms.agreed_columns(self._config, grant, member, self._source.rows().table.names)
            if contract.label_party.identity not in [signed.identity for signed in request.signatures]:
                raise NotAllowed("the contract does not bear your own signature")
            self._contracts.add(peer, contract, state=WAITING, columns=columns, needed=grant.approvals)
        self._contracts.add_signatures(contract, request.signatures)
        kept = self._kept(digest, peer)
        if kept.state == REJECTED:
            raise NotAllowed("people of this party rejected this contract; propose another one")
        missing = kept.needed - len(kept.approved_by(self._config.approvers))
        if kept.state == WAITING and missing <= 0:
            self._contracts.sign(digest, own)
            self._contracts.set_state(digest, SIGNED)
            kept = self._kept(digest, peer)
        if kept.state == SIGNED:
            return m.ContractAnswered("signed", 0, kept.signatures[own.public])
        return m.ContractAnswered("waiting", missing, b"")

    def in_force(self, peer: str, digest: bytes) -> Kept:
        """Return the contract that a message names.

        Its state is read for every message, so that what people reject ends at once, in whichever process
        they do. The rest never changes once all have signed, and is read and verified once.

        Raises:
            NotAllowed: it does not hold.
            BadSignature: it is not what was signed.
        """
        now = seconds_now()
        known = self._in_force.get(digest)
        if known is not None and (state := self._contracts.state(digest)) is not None:
            return check_in_force(known._replace(state=state), peer, now)
        kept = check_in_force(self._contracts.get(digest), peer, now)
        kept.verify()
        lasting = {of: one for of, one in self._in_force.items() if now < one.contract.expires}
        self._in_force = lasting | {digest: kept}
        return kept

    def check(self, kept: Kept, message: m.Message, opening: bool) -> None:
        """Refuse a message that goes beyond its contract; raises NotAllowed or RateExceeded."""
        if opening:
            terms.check_opening(kept.contract, message)
        terms.check_message(kept.contract, message)
        if isinstance(message, (m.AskDirections, m.AskPartialScores)):
            self._rates.take(kept.digest, kept.contract, len(message.rows) // 4, seconds_now())

    def _kept(self, digest: bytes, peer: str) -> Kept:
        kept = self._contracts.get(digest)
        if kept is None or kept.peer != peer:
            raise NotAllowed("this contract is another peer's")
        return kept
