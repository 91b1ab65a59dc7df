"""A label party at work, from its configuration: it aligns, bins, trains, scores, evaluates and exports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from parties.config import Config
from parties.data import rows
from parties.keys import paillier
from parties.label.binning import Binner
from parties.label.client import LabelClient, Transport
from parties.label.scoring import BatchScoring
from parties.label.trainer import Trainer
from parties.link.retry import PATIENCE, Patience
from parties.storage.model_store import ModelRecord
from parties.storage.training_checkpoints import Training
from parties.telemetry.clock import SYSTEM_CLOCK, Clock
from vfl.algorithms.registry import ALGORITHMS
from vfl.crypto.paillier import PrivateKey
from vfl.estimators.federation import Federation
from vfl.psi.alignment import Alignment
from vfl.scoring.label_party import ask_part
from vfl.wire.contract import Action


class LabelParty:
    """A label party at work. Use it as a context manager; it holds connections to the peers.

    Args:
        config: of a party whose role is label.
        clock: the time that the expiry of contracts is compared with.
        transport, patience, open_key: as for `parties.label.client.LabelClient`.

    Raises:
        ConfigError: the role is another one, or no peer is configured.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock = SYSTEM_CLOCK,
        *,
        transport: Transport | None = None,
        patience: Patience = PATIENCE,
        open_key: Callable[[Config], PrivateKey] = paillier.private_key,
    ) -> None:
        client = LabelClient(config, clock, transport=transport, patience=patience, open_key=open_key)
        trainer, scoring = Trainer(client), BatchScoring(client)
        self._client, self._trainer, self._scoring = client, trainer, scoring
        # The methods of the parts are those of the whole, with their signatures and docstrings.
        self.align, self.peer_spans = client.align, client.peer_spans
        self.bin = Binner(client).bin
        self.train, self.resume = trainer.train, trainer.resume
        self.score, self.score_population = scoring.score, scoring.score_population
        self.population, self.evaluation_data = scoring.population, scoring.evaluation_data
        self.obtain_scoring_contracts = scoring.obtain_contracts

    def __enter__(self) -> LabelParty:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @property
    def broken_off(self) -> Training | None:
        """The last training of this party, where it did not end and can be resumed."""
        return self._trainer.broken_off

    def record(self, model: str) -> ModelRecord:
        """Return how a model was trained; raises StateError where there is none."""
        return self._client.models.load_record(model)

    def export(self, model: str) -> bytes:
        """Ask the peers for their parts and merge all into one JSON document of the model's kind.

        Raises:
            StateError: no such model, or a part of another one.
            PeerRefused: a peer does not allow it.
        """
        _, part = self._client.models.load_model(model)
        contract = self._client.contracts.obtain("export", part.owners, model=model)
        sessions = self._client.sessions(part.owners, contract)
        parts = {peer: ask_part(session, model) for peer, session in sessions.items()}
        return ALGORITHMS.model_type_of(part).merge(part, parts, self._client.config.party.name)

    def labelled_rows(self) -> tuple[pd.DataFrame, pd.Series[float]]:
        """Return the columns of ``[data]`` and its labels, both by canonical key, as estimators take them.

        Raises:
            DataError: the source cannot be used.
        """
        table = rows.load(self._client.config).label_table
        index = pd.Index(table.identifiers, name="customer")
        return pd.DataFrame(table.columns, index, table.names), pd.Series(table.labels, index)

    def federation(self, alignment: str | None = None) -> Federation:
        """Return what the estimators of `vfl` need to work with the peers of an alignment, under contracts.

        Args:
            alignment: the newest one of ``[data]`` by default.

        Raises:
            StateError: there is none of that name.
            KeyFileError: the Paillier key cannot be opened.
        """
        _, alignments = self._client.load_alignment(alignment)
        key = self._client.private_key()
        return Federation(self._client.channel, alignments, key, self._contracts_for)

    def _contracts_for(
        self, action: Action, alignments: Mapping[str, Alignment], **terms: Any
    ) -> dict[str, bytes]:
        """Obtain the contracts of an estimator's job; see `vfl.estimators.federation.Agree`."""
        name = next(iter(alignments.values())).id
        if action == "score":
            peers = list(alignments)
            contracts = self._scoring.contracts(terms["model"], [name], peers)
            return {peer: each.digest for peer, each in zip(peers, contracts, strict=True)}
        digest = self._client.contracts.obtain(action, alignments, alignment=name, **terms).digest
        return dict.fromkeys(alignments, digest)
