"""One publication in service: it turns the records of a request into an answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from parties.config import Config
from parties.contracts.client import ContractClient
from parties.data import connectors, rows
from parties.serving.contract_lease import ContractLease
from parties.serving.customer_index import CustomerIndex, Locations
from parties.serving.errors import PeersAbsent, ReasonsForbidden
from parties.serving.fanout import PeerReply, query_peers
from parties.serving.parsed_records import parse
from parties.serving.peer_connection import PeerConnection
from parties.serving.publication import Publication
from parties.serving.schemas import Answer, PartyStatus, Scored, ScoreRecord, Unscored
from parties.serving.scorer import Scorer, Values
from parties.serving.timing import DEFAULT, Timing
from parties.storage import database
from parties.storage.model_store import ModelStore
from vfl.arrays import Bool
from vfl.errors import PeerRefused
from vfl.model.part import PeerPart
from vfl.scoring.label_party import RemotePart
from vfl.wire.channel import Channel
from vfl.wire.session import LabelSession

UNSCORED = {
    "bad_key": "the key is empty or cannot be used; correct it",
    "unknown_customer": "not in the population of this model; give the model's own columns as features",
    "not_aligned": "not in the population of this model, which gives no score without its partners",
}
"""By code, why a record has no score."""


class Outcome(NamedTuple):
    """An answer, and the replies of peers behind it."""

    answer: Answer
    replies: dict[str, PeerReply]


class Deployment:
    """What a publication needs in memory: models, customers, connections to peers. Thread-safe.

    Args:
        config: the label party's.
        publication: what to serve.
        channel: carries the messages to peers.
        timing: of contracts and connections.

    Attributes:
        field_names: all names of key fields and columns that a record may have.

    Raises:
        VflError: the files of the publication, or the rows of the customers, cannot be read any more.
    """

    def __init__(
        self, config: Config, publication: Publication, channel: Channel, timing: Timing = DEFAULT
    ) -> None:
        self.publication = publication
        models = ModelStore(config)
        self.record, self.part = models.load_model(publication.model)
        alone = models.load_bank_only(publication.model)
        self._scorer = Scorer(self.part, alone, publication.link, config.party.name)
        aligned, alignments = models.load_alignment(publication.alignment)
        source = config if publication.source is None else config.with_source(publication.source)
        self._source, self._version, self._read_at = source, connectors.version(source), time.monotonic()
        loaded = rows.load(source.with_columns(self.part.columns), training=False)
        unchanged = rows.population(loaded.identifiers.keys) == aligned.population
        parts: Sequence[PeerPart] = self.part.peers
        names = [name for name, part in zip(self.part.owners, parts, strict=True) if part.outputs]
        self.customers = CustomerIndex(
            loaded, {peer: alignments[peer] for peer in names}, unchanged=unchanged
        )
        self._key_fields = list(config.data.keys)
        self.field_names = frozenset([*self._key_fields, *self.part.columns])
        self._users = 0
        self._unused = threading.Condition()

        contracts = ContractClient(config, channel, database.connect(config), timing.clock)
        terms: dict[str, Any] = {"model": publication.model, "alignment": publication.alignment}
        self._leases = {
            peer: ContractLease(partial(contracts.obtain, "score", [peer], again=False, **terms), timing)
            for peer in names
        }

        def open_job(peer: str) -> RemotePart:
            contract = self._leases[peer].current()
            session = LabelSession(channel, peer, contract=contract)
            try:
                return RemotePart(session, alignments[peer], self.part, publication.model)
            except PeerRefused:
                self._leases[peer].drop(contract)
                raise

        self.peers = {
            peer: PeerConnection(peer, partial(open_job, peer), config.serving, timing) for peer in names
        }
        for connection in self.peers.values():
            connection.wait_for_attempts(config.serving.max_budget_ms / 1e3)

    def outdated(self, refresh: float) -> bool:
        """Return whether to read the customers' rows again.

        A file is outdated once it was written again, a database after so many seconds.
        """
        version = connectors.version(self._source)
        if version is None:
            return time.monotonic() - self._read_at > refresh
        return version != self._version

    def renew(self) -> None:
        """Have contracts renewed that are about to end."""
        for lease in self._leases.values():
            lease.renew()

    def enter(self) -> None:
        """Keep the connections open until `leave` is called as often."""
        with self._unused:
            self._users += 1

    def leave(self) -> None:
        with self._unused:
            self._users -= 1
            if not self._users:
                self._unused.notify_all()

    def close(self) -> None:
        """Wait for the requests in flight, then close the connections."""
        with self._unused:
            self._unused.wait_for(lambda: not self._users)
        for connection in self.peers.values():
            connection.close()

    def reason_names(self) -> dict[str, list[str]]:
        """Return by peer the names under which its contributions may be told, as it last said."""
        return {
            name: peer.reasons if peer.reasons is not None else self.publication.reasons.get(name, [])
            for name, peer in self.peers.items()
        }

    def score(self, records: Sequence[ScoreRecord], budget: float, reasons: int) -> Outcome:
        """Score records; arguments (the budget in seconds) and errors as for `Service.score`."""
        began = time.monotonic()
        names = self._allowed_names() if reasons else {}
        parsed = parse(records, self._key_fields, self.part.columns)
        keys = self.customers.keys(parsed.keys)
        locations = self.customers.find(keys)
        codes = self._codes(keys, parsed.has_features, locations)
        scorable = np.flatnonzero(codes == "")
        aligned = locations.aligned[scorable]
        positions = {peer: places[scorable] for peer, places in locations.positions.items()}
        replies = query_peers(self.peers, positions, began, budget)
        complete = self._complete(aligned, replies)
        columns = self.customers.columns(locations.rows)
        columns[parsed.has_features] = parsed.features
        if self.publication.fallback == "bank_only":
            values = self._scorer.with_fallback(complete, columns[scorable], replies, names, reasons)
        else:
            values = self._scorer.joint(columns[scorable], replies, names, reasons)
        scored = iter(self._scored(values, complete, self._statuses(aligned, replies)))
        results: list[Scored | Unscored] = [
            Unscored(keys=record.keys, code=code, detail=UNSCORED[code])
            if code
            else Scored(keys=record.keys, **next(scored))
            for record, code in zip(records, codes.tolist(), strict=True)
        ]
        answer = Answer(
            model=self.publication.model,
            publication=self.publication.number,
            threshold=self.publication.threshold,
            results=results,
            elapsed_ms=round(1e3 * (time.monotonic() - began), 3),
        )
        return Outcome(answer, replies)

    def _allowed_names(self) -> dict[str, list[str]]:
        names = self.reason_names()
        forbidding = [name for name, columns in names.items() if not columns]
        if forbidding:
            raise ReasonsForbidden(
                f"{', '.join(forbidding)} does not let its contributions be told; ask without reasons"
            )
        return names

    def _codes(self, keys: Sequence[str], has_features: Bool, locations: Locations) -> npt.NDArray[np.str_]:
        """Return for each record the code of why it has no score, "" where it gets one."""
        codes = np.full(len(keys), "", dtype="U16")
        if self.publication.fallback == "refuse" and self.peers:
            codes[~locations.aligned] = "not_aligned"
        codes[(locations.rows < 0) & ~has_features] = "unknown_customer"
        codes[[key == "" for key in keys]] = "bad_key"
        return codes

    def _complete(self, aligned: Bool, replies: Mapping[str, PeerReply]) -> Bool:
        """Return for which rows every peer that knows the customer has answered; raises PeersAbsent."""
        complete = aligned.copy() if self.peers else np.ones(len(aligned), dtype=np.bool_)
        absent = [name for name, reply in replies.items() if reply.is_absent]
        if absent and self.publication.fallback == "refuse":
            raise PeersAbsent(absent)
        for name in absent:
            complete[replies[name].rows] = False
        return complete

    def _statuses(self, aligned: Bool, replies: Mapping[str, PeerReply]) -> list[dict[str, PartyStatus]]:
        """Return for each row the status of every peer."""
        by_peer: list[list[PartyStatus]] = []
        for reply in replies.values():
            statuses: list[PartyStatus] = ["unknown_customer"] * len(aligned)
            for row in np.flatnonzero(~aligned).tolist():
                statuses[row] = "not_aligned"
            for row in reply.rows.tolist():
                statuses[row] = reply.status
            by_peer.append(statuses)
        return [dict(zip(replies, row, strict=True)) for row in zip(*by_peer, strict=True)] or [
            {} for _ in aligned
        ]

    def _scored(
        self, values: Values, complete: Bool, statuses: list[dict[str, PartyStatus]]
    ) -> Iterator[dict[str, Any]]:
        """Yield the fields of each row's result."""
        threshold, fallback = self.publication.threshold, self.publication.fallback
        limits = {"joint": threshold.joint, "partial": threshold.joint, "bank_only": threshold.bank_only}
        for row, (score, is_joint) in enumerate(zip(values.scores.tolist(), complete.tolist(), strict=True)):
            mode = "joint" if is_joint else fallback
            yield {
                "score": score,
                "decision": "alert" if score >= limits[mode] else "pass",
                "mode": mode,
                "parties": statuses[row],
                "reasons": None if values.reasons is None else values.reasons[row],
                "base": None if values.bases is None else values.bases[row],
            }
