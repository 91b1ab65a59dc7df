"""How a label party scores customers with its peers, under a contract with each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from parties.config import Config
from parties.contracts.client import SignedContract
from parties.data import rows
from parties.data.rows import Rows
from parties.label.client import LabelClient
from parties.label.cohort import Population, Scores, taking_part
from parties.label.evaluation_data import EvaluationData, RowsAre, score_views
from parties.link.retry import until_done
from parties.telemetry.progress import Progress, silent
from vfl.algorithms.registry import ALGORITHMS
from vfl.arrays import Float32
from vfl.scoring import label_party as scoring
from vfl.wire.session import LabelSession


class BatchScoring:
    """Scores populations for a label party.

    Args:
        client: its connections to the peers.
    """

    def __init__(self, client: LabelClient) -> None:
        self._client, self._models = client, client.models

    def score(self, model: str, source: str, *, on_progress: Progress = silent) -> Scores:
        """Score another population, which is first aligned with the model's peers if it never was.

        Args:
            source: a file with the key and feature columns of ``[data]``; a label is not needed.

        Raises:
            DataError: the source lacks columns of the model or cannot be used.
            StateError: no such model.
            PeerError: from a peer, or on the way to it.
        """
        customers = self.population(model, source, on_progress=on_progress)
        scores = self.score_population(model, customers, on_progress=on_progress)
        loaded = customers.rows
        usable = loaded.identifiers.rows
        keys = {field: [values[row] for row in usable] for field, values in loaded.table.keys.items()}
        return Scores(keys, scores, loaded.identifiers.report.dropped)

    def population(
        self, model: str, source: str | None = None, *, on_progress: Progress = silent
    ) -> Population:
        """Return customers that a model can score, aligned with its peers.

        The newest alignment of the same customers is used again: ``vfl align --data`` makes a newer one,
        which is needed only where a peer knows other customers than before.

        Args:
            source: as for :meth:`score`; the rows of ``[data]`` by default.

        Raises:
            as :meth:`score`.
        """
        _, part = self._models.load_model(model)
        config = self._client.config if source is None else self._client.config.with_source(source)
        loaded = rows.load(config.with_columns(part.columns), training=False)
        return self._population(config, loaded, part.owners, on_progress)

    def obtain_contracts(self, model: str, alignments: Sequence[str]) -> None:
        """Obtain every contract that scoring needs; one error names all that wait for people.

        Args:
            alignments: of the customers to score.

        Raises:
            AwaitingApproval: people at peers have to approve first.
            PeerError: as :meth:`score`.
        """
        _, part = self._models.load_model(model)
        self.contracts(model, alignments, part.owners)

    def score_population(
        self, model: str, customers: Population, *, on_progress: Progress = silent
    ) -> Float32:
        """Return the scores of customers that are aligned already; raises as :meth:`score`."""
        _, part = self._models.load_model(model)
        sessions = self._sessions(model, customers.record.alignment, part.owners)
        return until_done(
            lambda: scoring.score(
                sessions(),
                customers.alignments,
                part,
                customers.rows.label_table,
                model_id=model,
                on_progress=on_progress,
            )
        )

    def evaluation_data(
        self,
        model: str,
        *,
        source: str | None = None,
        amount: str | None = None,
        day: str | None = None,
        on_progress: Progress = silent,
    ) -> EvaluationData:
        """Score rows whose label is known: of this party alone, with each peer, and together.

        Args:
            source: a labelled file; by default the validation rows of training, or all of its rows
                where none were left out.
            amount, day: columns in place of those of ``[data]``.

        Raises:
            as :meth:`score`; DataError also where the labels are not 0 and 1.
        """
        record, part = self._models.load_model(model)
        config = self._client.config if source is None else self._client.config.with_source(source)
        config = config.with_columns(part.columns, amount=amount, day=day)
        loaded = rows.load(config)
        rows_are: RowsAre = "source"
        counted = None
        if source is None:
            alignment_record, alignments = self._client.load_alignment(record.alignment)
            table, alignment = taking_part(alignment_record, alignments, loaded), alignment_record.alignment
            training = ALGORITHMS.named(record.algorithm).training
            seed = training.validation_seed(part.params) if training else 0
            counted = rows.drawn(table.identifiers, record.validation_fraction, seed)
            rows_are, counted = ("validation", counted) if counted.any() else ("training", None)
        else:
            table = loaded.label_table
            customers = self._population(config, loaded, part.owners, on_progress)
            alignment, alignments = customers.record.alignment, customers.alignments
        sessions = self._sessions(model, alignment, part.owners)
        answers = until_done(
            lambda: scoring.ask_all(sessions(), alignments, part, model_id=model, on_progress=on_progress)
        )
        return score_views(
            table,
            part,
            self._models.load_bank_only(model),
            answers,
            alignments,
            label_party=self._client.config.party.name,
            model=model,
            rows_are=rows_are,
            counted=np.ones(len(table.labels), dtype=np.bool_) if counted is None else counted,
        )

    def contracts(self, model: str, alignments: Sequence[str], peers: Sequence[str]) -> list[SignedContract]:
        """Return a contract with each peer alone: none of them is needed to ask another."""
        return self._client.contracts.obtain_all(
            "score",
            [(peer, {"model": model, "alignment": name}) for name in alignments for peer in peers],
        )

    def _population(
        self, config: Config, loaded: Rows, peers: Sequence[str], on_progress: Progress
    ) -> Population:
        name = self._models.alignment_of(rows.population(loaded.identifiers.keys), peers)
        record, alignments = (
            self._models.load_alignment(name)
            if name is not None
            else self._client.align_rows(None, "left", config, loaded, on_progress)
        )
        return Population(record, alignments, loaded)

    def _sessions(
        self, model: str, alignment: str, peers: Iterable[str]
    ) -> Callable[[], dict[str, LabelSession]]:
        peers = list(peers)
        contracts = self.contracts(model, [alignment], peers)
        return lambda: {
            peer: LabelSession(self._client.channel, peer, contract=contract.digest)
            for peer, contract in zip(peers, contracts, strict=True)
        }
