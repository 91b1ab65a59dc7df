"""How a label party comes to a contract: it proposes to feature parties, and brings everybody's signature."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from parties import identity
from parties.config import Config
from parties.contracts import PROPOSED, REJECTED, SIGNED, Contracts, Kept, seconds_now
from vfl.errors import AwaitingApproval, BadSignature, ConfigError, NotAllowed, PeerRefused
from vfl.wire import messages as m
from vfl.wire.channel import Channel
from vfl.wire.contract import Action, Contract, Member
from vfl.wire.session import LabelSession

DAY = 86_400

SPARE_SECONDS = 3_600
"""A contract that ends sooner is not begun anything under."""


class Agreed(NamedTuple):
    """A contract that all parties have signed."""

    contract: Contract
    digest: bytes


class Agreements:
    """Proposes contracts for a label party.

    Args:
        config: the label party's.
        channel: carries the proposals.
        engine: its database, where contracts are kept.
    """

    def __init__(self, config: Config, channel: Channel, engine: sa.Engine) -> None:
        self._config, self._channel = config, channel
        self._contracts = Contracts(engine)

    def reach(
        self, action: Action, peers: Iterable[str], *, free: Callable[[str], bool] | None = None, **terms: Any
    ) -> Agreed:
        """Return a contract with these terms that all peers have signed.

        One with the same terms that was proposed before is used again, so that a command which had to wait
        for people goes on where it stood when it is run again.

        Args:
            peers: names of the feature parties, in the order of the job.
            free: where the name of the model or alignment was made up: whether a name is not used yet. A
                contract that waits for people under another such name will do as well.
            terms: fields of a `vfl.wire.contract.Contract`.

        Raises:
            ConfigError: a peer has no identity in the configuration.
            AwaitingApproval: people at a peer have to approve it first.
            PeerRefused: a peer's rules or people say no.
            BadSignature: a peer's signature is wrong.
            PeerError: on the way to a peer.
        """
        draft = self._draft(action, list(peers), terms)
        contract = self._same_terms(draft, free) or draft
        digest = contract.digest()
        own = identity.load(self._config)
        self._contracts.add(",".join(peers)[:64], contract, state=PROPOSED)
        self._contracts.sign(digest, own)
        waiting = self._propose(contract)
        if waiting:
            who = " and ".join(
                f"{peer} ({missing} to approve)" if missing > 1 else peer for peer, missing in waiting.items()
            )
            name = digest.hex()[:12]
            raise AwaitingApproval(
                f"contract {name} waits for people at {who}: they run `vfl jobs approve DIR {name}`; "
                "then run this command again"
            )
        if len(contract.feature_parties) > 1:
            self._propose(contract)  # now with everybody's signature
        self._contracts.set_state(digest, SIGNED)
        return Agreed(contract, digest)

    def _draft(self, action: Action, peers: list[str], terms: dict[str, Any]) -> Contract:
        now, ours = int(seconds_now()), self._config.contract
        if terms.get("algorithm") == "trees":
            terms = {"node_rows": ours.node_rows, "histogram_rows": ours.histogram_rows} | terms
        if action == "score":
            terms = {"rows_per_hour": ours.rows_per_hour} | terms
        return Contract(
            nonce=secrets.token_bytes(16),
            action=action,
            purpose=ours.purpose,
            label_party=Member(self._config.party.name, bytes.fromhex(identity.load(self._config).public)),
            feature_parties=[self._member(peer) for peer in peers],
            created=now,
            expires=now + ours.days * DAY,
            **terms,
        )

    def _member(self, name: str) -> Member:
        peer = self._config.peers[name]
        if peer.identity is None:
            raise ConfigError(
                f"peers.{name}.identity: missing; write the identity that `vfl party show` prints there"
            )
        return Member(name, bytes.fromhex(peer.identity), peer.columns)

    def _same_terms(self, draft: Contract, free: Callable[[str], bool] | None) -> Contract | None:
        """Return the newest contract of the same terms that is open still."""
        for kept in self._contracts.all():
            contract = kept.contract
            same = {"nonce": draft.nonce, "created": draft.created, "expires": draft.expires}
            if free is not None and kept.state == PROPOSED and free(contract.subject):
                same |= {"model": draft.model} if draft.model else {"alignment": draft.alignment}
            lasts = contract.expires >= draft.created + min(
                SPARE_SECONDS, DAY * self._config.contract.days // 2
            )
            if lasts and kept.state != REJECTED and msgspec.structs.replace(contract, **same) == draft:
                return contract
        return None

    def _propose(self, contract: Contract) -> dict[str, int]:
        """Ask each peer to sign; return how many people have to approve at those that wait for them."""
        digest = contract.digest()
        waiting = {}
        for member in contract.feature_parties:
            session = LabelSession(self._channel, member.name, contract=digest)
            request = m.ProposeContract(contract.to_bytes(), _signatures(self._kept(digest)))
            try:
                answer = session.ask(request, m.ContractAnswered)
            except PeerRefused as refused:
                if refused.peer_code == NotAllowed.code:  # never to be asked for again
                    self._contracts.set_state(digest, REJECTED)
                raise
            if answer.state == "waiting":
                waiting[member.name] = answer.approvals
                continue
            if len(answer.signature) != 64:
                raise BadSignature(f"{member.name} says that it signed, and sent no signature")
            self._contracts.add_signatures(contract, [m.Signature(member.identity, answer.signature)])
        return waiting

    def _kept(self, digest: bytes) -> Kept:
        kept = self._contracts.get(digest)
        assert kept is not None  # it was added before  # noqa: S101
        return kept


def _signatures(kept: Kept) -> list[m.Signature]:
    return [m.Signature(bytes.fromhex(public), signature) for public, signature in kept.signatures.items()]
