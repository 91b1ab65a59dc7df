"""A label party at work, from its configuration: it aligns, bins, trains, scores, evaluates and exports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from parties import rows
from parties.config import Config
from parties.contracts.agreement import Agreed
from parties.keys.paillier import private_key
from parties.label.archive import ModelRecord
from parties.label.customers import Population, Scores, fitting
from parties.label.labelled import LabelledScores, RowsAre, score_views
from parties.label.trainer import Trainer
from parties.label.training import validation_seed
from parties.link.retry import until_done
from parties.progress import Progress, silent
from parties.rows import Rows
from vfl.federation import Federation
from vfl.psi.alignment import Alignment
from vfl.scoring import kinds
from vfl.scoring import label_party as scoring
from vfl.wire.contract import Action
from vfl.wire.session import LabelSession


class LabelParty(Trainer):
    """A label party at work. Use it as a context manager; it holds connections to the peers.

    Args:
        config: of a party whose role is label.

    Raises:
        ConfigError: the role is another one, or no peer is configured.
    """

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
        at = loaded.identifiers.rows
        keys = {field: [values[row] for row in at] for field, values in loaded.table.keys.items()}
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
        _, share = self._archive.load_model(model)
        config = self._config if source is None else self._config.with_source(source)
        loaded = rows.load(config.with_columns(share.columns), training=False)
        return self._population(config, loaded, share.owners, on_progress)

    def agree_to_score(self, model: str, alignments: Sequence[str]) -> None:
        """Have every contract signed that scoring needs, to be told of all at once that wait for people.

        Args:
            alignments: of the customers to score.

        Raises:
            AwaitingApproval: people at peers have to approve first.
            PeerError: as :meth:`score`.
        """
        _, share = self._archive.load_model(model)
        self._reach_scoring(model, alignments, share.owners)

    def score_population(
        self, model: str, customers: Population, *, on_progress: Progress = silent
    ) -> npt.NDArray[np.float32]:
        """Return the scores of customers that are aligned already; raises as :meth:`score`."""
        _, share = self._archive.load_model(model)
        sessions = self._scoring_sessions(model, customers.record.alignment, share.owners)
        return until_done(
            lambda: scoring.score(
                sessions(),
                customers.alignments,
                share,
                customers.rows.label_table,
                model_id=model,
                on_progress=on_progress,
            )
        )

    def labelled_scores(
        self,
        model: str,
        *,
        source: str | None = None,
        amount: str | None = None,
        day: str | None = None,
        on_progress: Progress = silent,
    ) -> LabelledScores:
        """Score rows whose label is known: of this party alone, with each peer, and together.

        Args:
            source: a labelled file; by default the validation rows of training, or all of its rows
                where none were kept out.
            amount, day: columns in place of those of ``[data]``.

        Raises:
            as :meth:`score`; DataError also where the labels are not 0 and 1.
        """
        record, share = self._archive.load_model(model)
        config = self._config if source is None else self._config.with_source(source)
        config = config.with_columns(share.columns, amount=amount, day=day)
        loaded = rows.load(config)
        rows_are: RowsAre = "source"
        judged = None
        if source is None:
            aligned, alignments = self._aligned(record.alignment)
            table, alignment = fitting(aligned, alignments, loaded), aligned.alignment
            seed = validation_seed(share.params)
            judged = rows.drawn(table.identifiers, record.validation_fraction, seed)
            rows_are, judged = ("validation", judged) if judged.any() else ("training", None)
        else:
            table = loaded.label_table
            customers = self._population(config, loaded, share.owners, on_progress)
            alignment, alignments = customers.record.alignment, customers.alignments
        sessions = self._scoring_sessions(model, alignment, share.owners)
        told = until_done(
            lambda: scoring.ask_all(sessions(), alignments, share, model_id=model, on_progress=on_progress)
        )
        return score_views(
            table,
            share,
            self._archive.load_bank_only(model),
            told,
            alignments,
            label_party=self._config.party.name,
            model=model,
            rows_are=rows_are,
            judged=judged,
        )

    def labelled_rows(self) -> tuple[pd.DataFrame, pd.Series[float]]:
        """Return the columns of ``[data]`` and its labels, both by canonical key, as estimators take them.

        Raises:
            DataError: the source cannot be used.
        """
        table = rows.load(self._config).label_table
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
        _, alignments = self._aligned(alignment)
        return Federation(self._channel, alignments, private_key(self._config), self._agree_to)

    def _agree_to(
        self, action: Action, alignments: Mapping[str, Alignment], **terms: Any
    ) -> dict[str, bytes]:
        """Come to the contracts of a job that is not this party's own; see `vfl.federation.Agree`."""
        name = next(iter(alignments.values())).id
        if action == "score":
            peers = list(alignments)
            agreed = self._reach_scoring(terms["model"], [name], peers)
            return {peer: each.digest for peer, each in zip(peers, agreed, strict=True)}
        digest = self._agreements.reach(action, alignments, alignment=name, **terms).digest
        return dict.fromkeys(alignments, digest)

    def record(self, model: str) -> ModelRecord:
        """Return how a model was trained; raises StateError where there is none."""
        return self._archive.load_record(model)

    def export(self, model: str) -> bytes:
        """Ask the peers for their shares and merge all into one JSON document, see `kinds.merged`.

        Raises:
            StateError: no such model, or a share of another one.
            PeerRefused: a peer does not allow it.
        """
        _, share = self._archive.load_model(model)
        agreed = self._agreements.reach("export", share.owners, model=model)
        sessions = self._sessions(share.owners, agreed)
        parts = {peer: scoring.ask_share(session, model) for peer, session in sessions.items()}
        return kinds.merged(share, parts, self._config.party.name)

    def _population(
        self, config: Config, loaded: Rows, peers: Sequence[str], on_progress: Progress
    ) -> Population:
        made = self._archive.alignment_of(rows.population(loaded.identifiers.keys), peers)
        record, alignments = (
            self._archive.load_alignment(made)
            if made is not None
            else self._align(None, "left", config, loaded, on_progress)
        )
        return Population(record, alignments, loaded)

    def _scoring_sessions(
        self, model: str, alignment: str, peers: Iterable[str]
    ) -> Callable[[], dict[str, LabelSession]]:
        peers = list(peers)
        agreed = self._reach_scoring(model, [alignment], peers)
        return lambda: {
            peer: LabelSession(self._channel, peer, contract=each.digest)
            for peer, each in zip(peers, agreed, strict=True)
        }

    def _reach_scoring(self, model: str, alignments: Sequence[str], peers: Sequence[str]) -> list[Agreed]:
        """Return a contract with each peer alone: none of them is needed to ask another."""
        return self._agreements.reach_all(
            "score",
            [(peer, {"model": model, "alignment": name}) for name in alignments for peer in peers],
        )
