"""The scoring service of a label party: every published model, ready to answer."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import get_args

import msgspec

from parties.config import Config
from parties.ledger.entries import Ledger
from parties.link.channels import channel_to_peers
from parties.link.transport import HttpsChannel
from parties.serving.deployment import Answered, Deployment
from parties.serving.errors import BadRequest, NotReady, UnknownModel
from parties.serving.publication import Publication, Publications
from parties.serving.schemas import (
    Answer,
    ModelCard,
    Observation,
    PartnerObservation,
    PartnerState,
    PartyCard,
    Readiness,
    Record,
    Scored,
)
from parties.storage import database
from parties.storage.model_store import headline
from vfl.errors import ConfigError, VflError
from vfl.model.part import PeerPart
from vfl.model.question import SCORING_ROWS
from vfl.wire.channel import Channel

LOOK_SECONDS = 1.0
"""How soon a new publication, or a withdrawal, is noticed."""

RETRY_SECONDS = 30.0
"""How long after a failure a publication is tried again."""

log = logging.getLogger("parties.serving")


class Service:
    """Scores customers with published models. Thread-safe; use it as a context manager.

    Args:
        config: of a label party.
        channel: carries messages to feature parties; by default HTTPS, recorded in the ledger.

    Attributes:
        observe: called after each answered request; does nothing until it is set.

    Raises:
        ConfigError: the role is another one.
    """

    def __init__(self, config: Config, channel: Channel | None = None) -> None:
        if config.party.role != "label":
            raise ConfigError(f"{config.party.name} is a feature party; the label party scores")
        self.observe: Callable[[Observation], None] = lambda observation: None
        self._config = config
        # Nobody waits for an answer longer than the largest budget.
        self._https = HttpsChannel(config, answer_seconds=config.serving.max_budget_ms / 1e3)
        ledger = Ledger(database.connect(config))
        self._channel = channel or channel_to_peers(self._https, ledger, config, retrying=False)
        self._publications = Publications(config)
        self._served: dict[str, Deployment] = {}
        self._not_ready: dict[str, tuple[int, float]] = {}  # the number that failed, and when
        self._withdrawn: dict[str, int] = {}
        self._lock = threading.Lock()  # held while the entries of _served change
        self._stopped = threading.Event()
        self._look()
        self._watcher = threading.Thread(target=self._watch, name="publications", daemon=True)
        self._watcher.start()

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish the requests that are under way and leave every partner; no thread is left."""
        self._stopped.set()
        self._watcher.join()
        for model in list(self._served):
            self._serve(model, None)
        self._https.close()

    def models(self) -> list[ModelCard]:
        """Return the cards of all models that are served, by name."""
        return [card(self._config, served) for _, served in sorted(self._served.copy().items())]

    def card(self, model: str) -> ModelCard:
        """Return the card of a model; raises UnknownModel, NotReady."""
        return card(self._config, self._find(model))

    def score(
        self, model: str, records: Sequence[Record], *, budget_ms: float | None = None, reasons: int = 0
    ) -> Answer:
        """Score records, each by its key alone or with the bank's own features.

        Args:
            model: a published model.
            records: 1 to ``SCORING_ROWS``.
            budget_ms: how long to wait for partners, at most ``max_budget_ms``; that of ``[serving]`` by
                default. With 0 nobody is asked.
            reasons: how many contributions to tell for each record.

        Raises:
            UnknownModel, NotReady: the model is not served.
            BadRequest, BadRecord: what cannot be read; nobody has been asked.
            ReasonsForbidden: a partner does not let its contributions be told.
            PartnersAbsent: partners did not answer, and the model was published to be refused then.
        """
        budget = self._budget(budget_ms)
        if not 1 <= len(records) <= SCORING_ROWS:
            raise BadRequest(f"{len(records)} records; give 1 to {SCORING_ROWS}")
        if reasons < 0:
            raise BadRequest("reasons: give a number of reasons, 0 or more")
        with self._lock:  # or it might be left between the two
            served = self._find(model)
            served.enter()
        try:
            answered = served.score(records, budget / 1e3, reasons)
        finally:
            served.leave()
        self.observe(_observation(answered))
        return answered.answer

    def ready(self) -> Readiness:
        """Return which models are served, and the worst state of each partner over them."""
        states: dict[str, PartnerState] = {}
        order = get_args(PartnerState)
        for served in self._served.copy().values():
            for name, partner in served.partners.items():
                states[name] = max(states.get(name, "answering"), partner.state, key=order.index)
        return Readiness(models=sorted(self._served), partners=states)

    def _budget(self, budget_ms: float | None) -> float:
        settings = self._config.serving
        if budget_ms is None:
            return settings.budget_ms
        if not 0 <= budget_ms <= settings.max_budget_ms:
            raise BadRequest(f"budget_ms: give 0 to {settings.max_budget_ms}")
        return budget_ms

    def _find(self, model: str) -> Deployment:
        served = self._served.get(model)
        if served is None and model in self._not_ready:
            raise NotReady("the model is published, but cannot be served now; see the log of the service")
        if served is None:
            raise UnknownModel("no model of this name is published")
        return served

    # --- publications come and go

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        newest = self._publications.newest()
        for model, number in newest.items():
            served = self._served.get(model)
            current = served.publication.number if served else self._withdrawn.get(model, 0)
            failed, since = self._not_ready.get(model, (0, 0.0))
            outdated = served is not None and served.outdated(self._config.serving.refresh_seconds)
            waited = number != failed or time.monotonic() - since > RETRY_SECONDS
            if waited and (number != current or outdated):
                self._change(model, number)
        for model in [model for model in self._served if model not in newest]:
            self._serve(model, None)
        for served in list(self._served.values()):
            served.renew()

    def _change(self, model: str, number: int) -> None:
        """Serve another version of a model, or its rows as they are now; else the one before goes on."""
        try:
            version = self._publications.load(model, number)
            served = (
                Deployment(self._config, version, self._channel) if isinstance(version, Publication) else None
            )
        except Exception as error:  # a fault of this program must not end the watch
            why = str(error) if isinstance(error, VflError) else type(error).__name__
            log.error("publication %d of model %s cannot be served: %s", number, model, why)
            self._not_ready[model] = number, time.monotonic()
            return
        self._not_ready.pop(model, None)
        if served is None:
            self._withdrawn[model] = number
        self._serve(model, served)
        log.info("publication %d of model %s: %s", number, model, "served" if served else "withdrawn")

    def _serve(self, model: str, served: Deployment | None) -> None:
        """Put a version in the place of the one before, which is left once its requests are answered."""
        with self._lock:
            before = self._served.pop(model, None)
            if served is not None:
                self._served[model] = served
        if before is not None:
            before.close()


def card(config: Config, served: Deployment) -> ModelCard:
    """Return what users of a model may know of it."""
    publication, record, part = served.publication, served.record, served.part
    own = PartyCard(
        role="label", columns=part.columns, columns_total=len(part.columns), reasons=part.features
    )
    parties = {config.party.name: own}
    reasons = served.reason_names()
    peers: Sequence[PeerPart] = part.peers
    for peer, columns in zip(part.owners, peers, strict=True):
        parties[peer] = PartyCard(
            role="feature",
            columns=[name for name in columns.shown if name],
            columns_total=len(columns.shown),
            reasons=list(dict.fromkeys(reasons.get(peer, []))),
        )
    return ModelCard(
        model=publication.model,
        publication=publication.number,
        created=publication.created,
        trained=record.created,
        rows=record.rows,
        validation_rows=record.validation_rows,
        parties=parties,
        algorithm=record.algorithm,
        objective=part.objective,
        summary=headline(record),
        params=msgspec.to_builtins(part.params),
        metrics=publication.metrics,
        metrics_on=publication.metrics_on,
        threshold=publication.threshold,
        fallback=publication.fallback,
        population=publication.population,
    )


def _observation(answered: Answered) -> Observation:
    answer = answered.answer
    return Observation(
        model=answer.model,
        rows=len(answer.results),
        seconds=answer.elapsed_ms / 1e3,
        modes=Counter(result.mode for result in answer.results if isinstance(result, Scored)),
        partners={
            name: PartnerObservation(told.status, told.seconds) for name, told in answered.told.items()
        },
    )
