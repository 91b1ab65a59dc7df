"""A publication at work: records in, answers out."""

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
from parties.serving.customer_index import CustomerIndex, Found
from parties.serving.errors import PartnersAbsent, ReasonsForbidden
from parties.serving.fanout import PeerReply, query_peers
from parties.serving.parsed_records import read
from parties.serving.peer_connection import PeerConnection
from parties.serving.publication import Publication
from parties.serving.schemas import Answer, PartyStatus, Record, Scored, Unscored
from parties.serving.scorer import Scorer, Values
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


class Answered(NamedTuple):
    """An answer, and what each partner did for it."""

    answer: Answer
    told: dict[str, PeerReply]


class Deployment:
    """All that a publication needs in memory: models, customers, partners. Thread-safe.

    Args:
        config: the label party's.
        publication: what to serve.
        channel: carries the messages to feature parties.

    Raises:
        VflError: what was published, or the rows of the customers, cannot be read any more.
    """

    def __init__(self, config: Config, publication: Publication, channel: Channel) -> None:
        self.publication = publication
        archive = ModelStore(config)
        self.record, self.part = archive.load_model(publication.model)
        alone = archive.load_bank_only(publication.model)
        self._scorer = Scorer(self.part, alone, publication.link, config.party.name)
        aligned, alignments = archive.load_alignment(publication.alignment)
        source = config if publication.source is None else config.with_source(publication.source)
        self._source, self._version, self._read_at = source, connectors.version(source), time.monotonic()
        loaded = rows.load(source.with_columns(self.part.columns), training=False)
        unchanged = rows.population(loaded.identifiers.keys) == aligned.population
        peers: Sequence[PeerPart] = self.part.peers
        needed = [name for name, peer in zip(self.part.owners, peers, strict=True) if peer.outputs]
        self.population = CustomerIndex(
            loaded, {peer: alignments[peer] for peer in needed}, unchanged=unchanged
        )
        self._fields = list(config.data.keys)
        self._users = 0
        self._unused = threading.Condition()

        agreements = ContractClient(config, channel, database.connect(config))
        terms: dict[str, Any] = {"model": publication.model, "alignment": publication.alignment}
        self._standing = {
            peer: ContractLease(partial(agreements.obtain, "score", [peer], again=False, **terms))
            for peer in needed
        }

        def job_with(peer: str) -> RemotePart:
            contract = self._standing[peer].current()
            session = LabelSession(channel, peer, contract=contract)
            try:
                return RemotePart(session, alignments[peer], self.part, publication.model)
            except PeerRefused:
                self._standing[peer].refused(contract)
                raise

        self.partners = {
            peer: PeerConnection(peer, partial(job_with, peer), config.serving) for peer in needed
        }
        for partner in self.partners.values():
            partner.wait_until_tried(config.serving.max_budget_ms / 1e3)

    def outdated(self, refresh: float) -> bool:
        """Return whether the customers' rows are to be read again.

        A file is when it was written again, a database after so many seconds.
        """
        version = connectors.version(self._source)
        if version is None:
            return time.monotonic() - self._read_at > refresh
        return version != self._version

    def renew(self) -> None:
        """Have contracts renewed that are about to end."""
        for standing in self._standing.values():
            standing.renew()

    def enter(self) -> None:
        """Keep the partners open until `leave` is called as often."""
        with self._unused:
            self._users += 1

    def leave(self) -> None:
        with self._unused:
            self._users -= 1
            if not self._users:
                self._unused.notify_all()

    def close(self) -> None:
        """Wait for the requests that are under way, then leave the partners."""
        with self._unused:
            self._unused.wait_for(lambda: not self._users)
        for partner in self.partners.values():
            partner.close()

    def reason_names(self) -> dict[str, list[str]]:
        """Return by partner the names under which its contributions may be told, as it last said."""
        return {
            name: partner.reasons if partner.reasons is not None else self.publication.reasons.get(name, [])
            for name, partner in self.partners.items()
        }

    def score(self, records: Sequence[Record], budget: float, reasons: int) -> Answered:
        """Score records; arguments (the budget in seconds) and errors as for `Service.score`."""
        began = time.monotonic()
        names = self._tellable() if reasons else {}
        taken = read(records, self._fields, self.part.columns)
        keys = self.population.keys(taken.keys)
        found = self.population.find(keys)
        codes = self._unscored(keys, taken.given, found)
        at = np.flatnonzero(codes == "")
        told = query_peers(
            self.partners, {peer: of[at] for peer, of in found.positions.items()}, began, budget
        )
        complete = self._complete(found.aligned[at], told)
        columns = self.population.columns(found.rows)
        columns[taken.given] = taken.features
        if self.publication.fallback == "bank_only":
            values = self._scorer.fallen_back(complete, columns[at], told, names, reasons)
        else:
            values = self._scorer.joint(columns[at], told, names, reasons)
        scored = iter(self._scored(values, complete, self._parties(found.aligned[at], told)))
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
        return Answered(answer, told)

    def _tellable(self) -> dict[str, list[str]]:
        names = self.reason_names()
        forbidding = [name for name, columns in names.items() if not columns]
        if forbidding:
            raise ReasonsForbidden(
                f"{', '.join(forbidding)} does not let its contributions be told; ask without reasons"
            )
        return names

    def _unscored(self, keys: Sequence[str], given: Bool, found: Found) -> npt.NDArray[np.str_]:
        """Return for each record the code of why it has no score, "" where it gets one."""
        codes = np.full(len(keys), "", dtype="U16")
        if self.publication.fallback == "refuse" and self.partners:
            codes[~found.aligned] = "not_aligned"
        codes[(found.rows < 0) & ~given] = "unknown_customer"
        codes[[key == "" for key in keys]] = "bad_key"
        return codes

    def _complete(self, aligned: Bool, told: Mapping[str, PeerReply]) -> Bool:
        """Return for which rows every partner that knows the customer has answered; raises PartnersAbsent."""
        complete = aligned.copy() if self.partners else np.ones(len(aligned), dtype=np.bool_)
        absent = [name for name, part in told.items() if part.absent]
        if absent and self.publication.fallback == "refuse":
            raise PartnersAbsent(absent)
        for name in absent:
            complete[told[name].known] = False
        return complete

    def _parties(self, aligned: Bool, told: Mapping[str, PeerReply]) -> list[dict[str, PartyStatus]]:
        """Return for each row what every partner did."""
        by_name: list[list[PartyStatus]] = []
        for part in told.values():
            statuses: list[PartyStatus] = ["unknown_customer"] * len(aligned)
            for row in np.flatnonzero(~aligned).tolist():
                statuses[row] = "not_aligned"
            for row in part.known.tolist():
                statuses[row] = part.status
            by_name.append(statuses)
        return [dict(zip(told, row, strict=True)) for row in zip(*by_name, strict=True)] or [
            {} for _ in aligned
        ]

    def _scored(
        self, values: Values, complete: Bool, parties: list[dict[str, PartyStatus]]
    ) -> Iterator[dict[str, Any]]:
        """Give the fields of each row's result."""
        threshold, fallback = self.publication.threshold, self.publication.fallback
        limits = {"joint": threshold.joint, "partial": threshold.joint, "bank_only": threshold.bank_only}
        for row, (score, whole) in enumerate(zip(values.scores.tolist(), complete.tolist(), strict=True)):
            mode = "joint" if whole else fallback
            yield {
                "score": score,
                "decision": "alert" if score >= limits[mode] else "pass",
                "mode": mode,
                "parties": parties[row],
                "reasons": None if values.reasons is None else values.reasons[row],
                "base": None if values.bases is None else values.bases[row],
            }
