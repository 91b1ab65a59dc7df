"""The front of the scoring service: it finds the deployment of a model and follows new publications."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import get_args

from parties.config import Config
from parties.ledger.entries import Ledger
from parties.link.channels import channel_to_peers
from parties.link.transport import HttpsChannel
from parties.serving.deployment import Deployment, Outcome
from parties.serving.errors import BadRequest, NotReady, UnknownModel
from parties.serving.model_card import model_card
from parties.serving.publication import Publication, Publications
from parties.serving.schemas import (
    Answer,
    ModelCard,
    Observation,
    PeerObservation,
    PeerState,
    Readiness,
    Scored,
    ScoreRecord,
)
from parties.serving.timing import DEFAULT, Timing
from parties.storage import database
from vfl.errors import ConfigError, VflError
from vfl.model.question import SCORING_ROWS
from vfl.wire.channel import Channel

log = logging.getLogger("parties.serving")


class Service:
    """Scores customers with published models. Thread-safe; use it as a context manager.

    Args:
        config: of a label party.
        channel: carries messages to peers; by default HTTPS, recorded in the ledger.
        timing: the clock, and intervals of what nobody asks for.

    Attributes:
        observe: called after each answered request; does nothing until somebody sets it.

    Raises:
        ConfigError: the role is another one.
    """

    def __init__(self, config: Config, channel: Channel | None = None, timing: Timing = DEFAULT) -> None:
        if config.party.role != "label":
            raise ConfigError(f"{config.party.name} is a feature party; the label party scores")
        self.observe: Callable[[Observation], None] = lambda observation: None
        self._config, self._timing = config, timing
        # Nobody waits for an answer longer than the largest budget.
        self._https = HttpsChannel(config, answer_seconds=config.serving.max_budget_ms / 1e3)
        ledger = Ledger(database.connect(config))
        self._channel = channel or channel_to_peers(self._https, ledger, config, retrying=False)
        self._publications = Publications(config)
        self._deployments: dict[str, Deployment] = {}
        self._not_ready: dict[str, tuple[int, float]] = {}  # the number that failed, and when
        self._withdrawn: dict[str, int] = {}
        self._lock = threading.Lock()  # held while the deployments change
        self._stopped = threading.Event()
        self._look()
        self._watcher = threading.Thread(target=self._watch, name="publications", daemon=True)
        self._watcher.start()

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish the requests in flight and close all connections; no thread is left."""
        self._stopped.set()
        self._watcher.join()
        for model in list(self._deployments):
            self._replace(model, None)
        self._https.close()

    def models(self) -> list[ModelCard]:
        """Return the cards of all models that are served, by name."""
        return [model_card(self._config, one) for _, one in sorted(self._deployments.copy().items())]

    def card(self, model: str) -> ModelCard:
        """Return the card of a model; raises UnknownModel, NotReady."""
        return model_card(self._config, self._find(model))

    def field_names(self, model: str) -> frozenset[str]:
        """Return the names that a record of a model may have; raises UnknownModel, NotReady."""
        return self._find(model).field_names

    def publications(self) -> dict[str, int]:
        """Return by model the number of the publication that is served."""
        return {model: one.publication.number for model, one in sorted(self._deployments.copy().items())}

    def score(
        self, model: str, records: Sequence[ScoreRecord], *, budget_ms: float | None = None, reasons: int = 0
    ) -> Answer:
        """Score records, each by its key alone or with the bank's own features.

        Args:
            model: a published model.
            records: 1 to ``SCORING_ROWS``.
            budget_ms: how long to wait for peers, at most ``max_budget_ms``; that of ``[serving]`` by
                default. With 0 no peer is asked.
            reasons: how many contributions to give for each record.

        Raises:
            UnknownModel, NotReady: the model is not served.
            BadRequest, BadRecord: the request cannot be read; no peer has been asked.
            ReasonsForbidden: a peer does not let its contributions be told.
            PeersAbsent: peers did not answer, and the model was published to be refused then.
        """
        budget = self._budget(budget_ms)
        if not 1 <= len(records) <= SCORING_ROWS:
            raise BadRequest(f"{len(records)} records; give 1 to {SCORING_ROWS}")
        if reasons < 0:
            raise BadRequest("reasons: give a number of reasons, 0 or more")
        with self._lock:  # or it might be closed between the two
            deployment = self._find(model)
            deployment.enter()
        try:
            outcome = deployment.score(records, budget / 1e3, reasons)
        finally:
            deployment.leave()
        self.observe(_observation(outcome))
        return outcome.answer

    def ready(self) -> Readiness:
        """Return which models are served, and the worst state of each peer over them."""
        states: dict[str, PeerState] = {}
        order = get_args(PeerState)
        for deployment in self._deployments.copy().values():
            for name, peer in deployment.peers.items():
                states[name] = max(states.get(name, "answering"), peer.state, key=order.index)
        return Readiness(models=sorted(self._deployments), partners=states)

    def _budget(self, budget_ms: float | None) -> float:
        settings = self._config.serving
        if budget_ms is None:
            return settings.budget_ms
        if not 0 <= budget_ms <= settings.max_budget_ms:
            raise BadRequest(f"budget_ms: give 0 to {settings.max_budget_ms}")
        return budget_ms

    def _find(self, model: str) -> Deployment:
        deployment = self._deployments.get(model)
        if deployment is None and model in self._not_ready:
            raise NotReady("the model is published, but cannot be served now; see the log of the service")
        if deployment is None:
            raise UnknownModel("no model of this name is published")
        return deployment

    # --- in the thread that follows publications

    def _watch(self) -> None:
        while not self._stopped.wait(self._timing.look):
            self._look()

    def _look(self) -> None:
        newest = self._publications.newest()
        for model, number in newest.items():
            deployment = self._deployments.get(model)
            current = deployment.publication.number if deployment else self._withdrawn.get(model, 0)
            failed, since = self._not_ready.get(model, (0, 0.0))
            outdated = deployment is not None and deployment.outdated(self._config.serving.refresh_seconds)
            may_try = number != failed or time.monotonic() - since > self._timing.retry
            if may_try and (number != current or outdated):
                self._change(model, number)
        for model in [model for model in self._deployments if model not in newest]:
            self._replace(model, None)
        for deployment in list(self._deployments.values()):
            deployment.renew()

    def _change(self, model: str, number: int) -> None:
        """Serve another version of a model, or its rows as they are now; on failure the last one stays."""
        try:
            version = self._publications.load(model, number)
            deployment = (
                Deployment(self._config, version, self._channel, self._timing)
                if isinstance(version, Publication)
                else None
            )
        except Exception as error:  # a fault of this program must not end the watch
            reason = str(error) if isinstance(error, VflError) else type(error).__name__
            log.error("publication %d of model %s cannot be served: %s", number, model, reason)
            self._not_ready[model] = number, time.monotonic()
            return
        self._not_ready.pop(model, None)
        if deployment is None:
            self._withdrawn[model] = number
        self._replace(model, deployment)
        state = "served" if deployment else "withdrawn"
        log.info("publication %d of model %s: %s", number, model, state)

    def _replace(self, model: str, deployment: Deployment | None) -> None:
        """Put a deployment in the place of the last one, which closes once its requests are answered."""
        with self._lock:
            last = self._deployments.pop(model, None)
            if deployment is not None:
                self._deployments[model] = deployment
        if last is not None:
            last.close()


def _observation(outcome: Outcome) -> Observation:
    answer = outcome.answer
    return Observation(
        model=answer.model,
        rows=len(answer.results),
        seconds=answer.elapsed_ms / 1e3,
        modes=Counter(result.mode for result in answer.results if isinstance(result, Scored)),
        peers={name: PeerObservation(reply.status, reply.seconds) for name, reply in outcome.replies.items()},
    )
