"""How a label party obtains a contract: it proposes to feature parties, and collects every signature."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from parties.config import Config
from parties.contracts.contract_store import (
    PROPOSED,
    REJECTED,
    SIGNED,
    ContractStore,
    StoredContract,
)
from parties.contracts.rules import SUBJECTS
from parties.keys import identity
from parties.telemetry.clock import SYSTEM_CLOCK, Clock
from vfl.algorithms.registry import ALGORITHMS
from vfl.errors import AwaitingApproval, BadSignature, ConfigError, NotAllowed, PeerRefused
from vfl.wire import contract_messages as m
from vfl.wire.channel import Channel
from vfl.wire.contract import Action, Contract, Member
from vfl.wire.session import LabelSession

DAY = 86_400

ENDING = 0.1
"""With no more than this fraction of its time left a contract gets a successor: people have a while to
approve it."""

AGAIN = "; then run this command again"

log = logging.getLogger("parties")


class SignedContract(NamedTuple):
    """A contract that all parties have signed: its terms, and the digest that messages name."""

    terms: Contract
    digest: bytes


class ContractClient:
    """Proposes contracts for a label party.

    Args:
        config: the label party's.
        channel: carries the proposals.
        engine: its database, which stores contracts.
        clock: the time that expiry is compared with.
    """

    def __init__(
        self, config: Config, channel: Channel, engine: sa.Engine, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._config, self._channel, self._clock = config, channel, clock
        self._contracts = ContractStore(engine)

    def obtain(
        self,
        action: Action,
        peers: Iterable[str],
        *,
        free: Callable[[str], bool] | None = None,
        again: bool = True,
        **terms: Any,
    ) -> SignedContract:
        """Return a contract with these terms that all peers have signed.

        An earlier proposal of the same terms is used again, so that a command which had to wait for people
        continues when it is run again. Scoring continues under a contract that is about to end until there is
        an answer to the next one.

        Args:
            peers: names of the feature parties, in the order of the job.
            free: where this program made up the name of the model or alignment, whether a name is unused. A
                contract that waits for people under another such name serves as well.
            again: whether to propose again what a peer refused the last time.
            terms: fields of a `vfl.wire.contract.Contract`.

        Raises:
            ConfigError: a peer has no identity in the configuration.
            AwaitingApproval: people at a peer have to approve it first.
            PeerRefused: a peer's rules or people say no.
            NotAllowed: a peer refused before, and ``again`` is false.
            BadSignature: a peer's signature is wrong.
            PeerError: on the way to a peer.
        """
        draft = self._draft(action, list(peers), terms)
        same = self._same_terms(draft, free)
        last = next((stored.contract for stored in same if is_in_time(stored, self._clock())), None)
        try:
            return self._signed(self._next(draft, same, again))
        except (AwaitingApproval, NotAllowed, PeerRefused) as error:
            if action != "score" or last is None or not is_ending(last, self._clock()):
                raise
            log.warning("%s; continuing under the contract that is about to end", error)
            return SignedContract(last, last.digest())

    def obtain_all(self, action: Action, terms: Iterable[tuple[str, dict[str, Any]]]) -> list[SignedContract]:
        """Return contracts with one peer each, as :meth:`obtain` does; one error names all that wait."""
        contracts, waiting = [], []
        for peer, peer_terms in terms:
            try:
                contracts.append(self.obtain(action, [peer], **peer_terms))
            except AwaitingApproval as error:
                waiting.append(str(error).removesuffix(AGAIN))
        if waiting:
            raise AwaitingApproval("; ".join(waiting) + AGAIN)
        return contracts

    def _next(self, draft: Contract, same: list[StoredContract], again: bool) -> Contract:
        """Return the contract to propose: an earlier one, or else the draft."""
        now = self._clock()
        valid = [
            stored for stored in same if stored.state != REJECTED and not is_ending(stored.contract, now)
        ]
        for stored in sorted(valid, key=lambda stored: stored.state != SIGNED):
            return stored.contract
        if not again and same and same[0].state == REJECTED:
            raise NotAllowed(
                f"contract {_name(same[0].digest)} was refused; `vfl score` or `vfl publish` proposes another"
            )
        return draft

    def _signed(self, contract: Contract) -> SignedContract:
        """Have all parties sign a contract; raises as :meth:`obtain`."""
        digest = contract.digest()
        peers = ",".join(member.name for member in contract.feature_parties)
        self._contracts.add(peers[:64], contract, state=PROPOSED)
        self._contracts.sign(digest, identity.load(self._config))
        waiting = self._propose(contract)
        if waiting:
            who = " and ".join(
                f"{peer} ({missing} to approve)" if missing > 1 else peer for peer, missing in waiting.items()
            )
            name = _name(digest)
            raise AwaitingApproval(
                f"contract {name} waits for people at {who}: "
                f"they run `vfl contracts approve DIR {name}`{AGAIN}"
            )
        if len(contract.feature_parties) > 1:
            self._propose(contract)  # now with everybody's signature
        self._contracts.set_state(digest, SIGNED)
        return SignedContract(contract, digest)

    def _draft(self, action: Action, peers: list[str], terms: dict[str, Any]) -> Contract:
        now, defaults = int(self._clock()), self._config.contract
        if (algorithm := terms.get("algorithm")) is not None:
            brought = ALGORITHMS.named(algorithm).job.terms
            proposed = {term.name: defaults.value(term) for term in brought if term.proposed is not None}
            terms = terms | {"terms": proposed | terms.get("terms", {})}
        if action == "score":
            terms = {"rows_per_hour": defaults.rows_per_hour} | terms
        return Contract(
            nonce=secrets.token_bytes(16),
            action=action,
            purpose=defaults.purpose,
            label_party=Member(self._config.party.name, bytes.fromhex(identity.load(self._config).public)),
            feature_parties=[self._member(peer) for peer in peers],
            created=now,
            expires=now + defaults.days * DAY,
            **terms,
        )

    def _member(self, name: str) -> Member:
        peer = self._config.peers[name]
        if peer.identity is None:
            raise ConfigError(
                f"peers.{name}.identity: missing; write the identity that `vfl party show` prints there"
            )
        return Member(name, bytes.fromhex(peer.identity), peer.columns)

    def _same_terms(self, draft: Contract, free: Callable[[str], bool] | None) -> list[StoredContract]:
        """Return the contracts of the same terms, the newest first."""
        matching = []
        for stored in self._contracts.all(draft.action):
            same = {"nonce": draft.nonce, "created": draft.created, "expires": draft.expires}
            if free is not None and stored.state == PROPOSED and free(stored.contract.subject):
                subject = next(name for name in SUBJECTS[::-1] if getattr(draft, name))
                same |= {subject: getattr(draft, subject)}
            if msgspec.structs.replace(stored.contract, **same) == draft:
                matching.append(stored)
        return matching

    def _propose(self, contract: Contract) -> dict[str, int]:
        """Ask each peer to sign; return how many people have to approve at those that wait for them."""
        digest = contract.digest()
        waiting = {}
        for member in contract.feature_parties:
            session = LabelSession(self._channel, member.name, contract=digest)
            request = m.ProposeContract(contract.to_bytes(), _signatures(self._stored(digest)))
            try:
                answer = session.ask(request, m.ContractAnswered)
            except PeerRefused as refused:
                if refused.peer_code == NotAllowed.code:  # never to be proposed again
                    self._contracts.set_state(digest, REJECTED)
                raise
            if answer.state == "waiting":
                waiting[member.name] = answer.approvals
                continue
            if len(answer.signature) != 64:
                raise BadSignature(f"{member.name} says that it signed, and sent no signature")
            self._contracts.add_signatures(contract, [m.Signature(member.identity, answer.signature)])
        return waiting

    def _stored(self, digest: bytes) -> StoredContract:
        stored = self._contracts.get(digest)
        assert stored is not None  # it was added before  # noqa: S101
        return stored


def is_ending(contract: Contract, now: float) -> bool:
    """Return whether it is time to have the next contract signed."""
    return contract.expires - now <= ENDING * (contract.expires - contract.created)


def is_in_time(stored: StoredContract, now: float) -> bool:
    """Return whether jobs may run under a contract of this label party, as far as it knows."""
    return stored.state == SIGNED and now < stored.contract.expires


def _name(digest: bytes) -> str:
    return digest.hex()[:12]


def _signatures(stored: StoredContract) -> list[m.Signature]:
    return [m.Signature(bytes.fromhex(public), signature) for public, signature in stored.signatures.items()]
