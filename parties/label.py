"""What a label party does with its peers, from its configuration: align, train, score, evaluate, export."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from parties import connectors, database, rows
from parties.agreement import Agreements
from parties.archive import AlignmentRecord, Archive, ModelRecord
from parties.config import Config
from parties.customers import Population, Scores, fitting
from parties.keys import private_key
from parties.labelled import LabelledScores, RowsAre, score_views
from parties.ledger import Ledger, LedgerChannel
from parties.names import chosen
from parties.progress import Progress, silent
from parties.rows import Rows
from parties.transport import HttpsChannel
from vfl.errors import ConfigError, ParameterError
from vfl.params import TreeParams
from vfl.psi import label_party as psi
from vfl.psi.alignment import Alignment, Mode
from vfl.scoring import label_party as scoring
from vfl.trace import Span
from vfl.trees import label_party as trees
from vfl.trees.export import to_xgboost_json
from vfl.trees.stopping import EarlyStopping
from vfl.wire.session import LabelSession


class LabelParty:
    """A label party at work. Use it as a context manager; it holds connections to the peers.

    Args:
        config: of a party whose role is label.

    Raises:
        ConfigError: the role is another one, or no peer is configured.
    """

    def __init__(self, config: Config) -> None:
        if config.party.role != "label":
            raise ConfigError(f"{config.party.name} is a feature party; the label party runs this command")
        if not config.peers:
            raise ConfigError("no peer is configured; add one with `vfl party add-peer`")
        self._config = config
        self._archive = Archive(config)
        self._https = HttpsChannel(config)
        engine = database.connect(config)
        self._channel = LedgerChannel(self._https, Ledger(engine))
        self._agreements = Agreements(config, self._channel, engine)

    def __enter__(self) -> LabelParty:
        return self

    def __exit__(self, *_: object) -> None:
        self._https.close()

    def align(
        self,
        *,
        name: str | None = None,
        mode: Mode = "left",
        source: str | None = None,
        on_progress: Progress = silent,
    ) -> AlignmentRecord:
        """Align the rows of ``[data]``, or those of another source, with every peer.

        Args:
            name: of the alignment; a fresh one by default.
            source: another population to align, with the same columns but no label.

        Raises:
            DataError: the source cannot be used.
            StateError: the name is taken.
            PeerError: from a peer, or on the way to it.
        """
        if name is not None:
            self._archive.check_new_alignment(chosen("alignment", name))
        config = self._config if source is None else self._config.with_source(source)
        table = rows.load(config, training=source is None)
        return self._align(name, mode, config, table, on_progress)[0]

    def train(
        self,
        *,
        alignment: str | None = None,
        name: str | None = None,
        params: TreeParams | None = None,
        validation_fraction: float = 0.0,
        on_progress: Progress = silent,
    ) -> ModelRecord:
        """Train a model with the peers of an alignment, then one of this party's columns alone.

        The second one has the same rows and parameters; scores fall back to it where peers are absent.

        Args:
            alignment: the newest one of ``[data]`` by default.
            name: of the model; a fresh one by default.
            params: those of ``[model]`` by default.
            validation_fraction: share of rows, 0 to 0.9, kept out of training to watch the metric on.

        Raises:
            ParameterError: the validation fraction is out of range.
            NotAligned: the data has changed since it was aligned.
            DataError, StateError, KeyFileError, PeerError: as their names say.
        """
        if not 0 <= validation_fraction <= 0.9:
            raise ParameterError(f"validation_fraction={validation_fraction} (allowed: 0 to 0.9)")
        free = self._archive.model_is_free if name is None else None
        name = chosen("model", name)
        self._archive.check_new_model(name)
        params = params or self._config.model
        record, alignments = self._aligned(alignment)
        table = fitting(record, alignments, rows.load(self._config))
        watch = rows.drawn(table.identifiers, validation_fraction, params.random_state)
        key = private_key(self._config)  # made when first needed, which is no part of training
        agreed = self._agreements.reach(
            "train",
            alignments,
            free=free,
            alignment=record.alignment,
            model=name,
            rows=len(table.labels),
            trees=params.n_estimators,
            max_depth=params.max_depth,
            key_bits=key.public_key.bits,
        )
        name = agreed.contract.model or name
        started = time.monotonic()
        result = trees.train(
            self._sessions(alignments, agreed.digest),
            alignments,
            table,
            params,
            key,
            model_id=name,
            watch=watch,
            profile=self._config.crypto.profile,
            on_progress=on_progress,
        )
        seconds = time.monotonic() - started
        alone = trees.train({}, {}, table, params, key, model_id=name, watch=watch)
        made = ModelRecord(
            model=name,
            alignment=record.alignment,
            rows=int((~watch).sum()),
            validation_rows=int(watch.sum()),
            validation_fraction=validation_fraction,
            trees=len(result.share.trees),
            metric=EarlyStopping(params, table.labels[:0], None).name,
            history=result.history,
            importances=result.importances,
            seconds=round(seconds, 3),
            created=database.now(),
        )
        self._archive.save_model(made, result.share, alone.share)
        return made

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

    def score_population(
        self, model: str, customers: Population, *, on_progress: Progress = silent
    ) -> npt.NDArray[np.float32]:
        """Return the scores of customers that are aligned already; raises as :meth:`score`."""
        _, share = self._archive.load_model(model)
        return scoring.score(
            self._scoring_sessions(model, customers.record.alignment, share.owners),
            customers.alignments,
            share,
            customers.rows.label_table,
            model_id=model,
            on_progress=on_progress,
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
            judged = rows.drawn(table.identifiers, record.validation_fraction, share.params.random_state)
            rows_are, judged = ("validation", judged) if judged.any() else ("training", None)
        else:
            table = loaded.label_table
            customers = self._population(config, loaded, share.owners, on_progress)
            alignment, alignments = customers.record.alignment, customers.alignments
        sessions = self._scoring_sessions(model, alignment, share.owners)
        directions = scoring.ask_all(sessions, alignments, share, model_id=model, on_progress=on_progress)
        return score_views(
            table,
            share,
            self._archive.load_bank_only(model),
            directions,
            alignments,
            label_party=self._config.party.name,
            model=model,
            rows_are=rows_are,
            judged=judged,
        )

    def record(self, model: str) -> ModelRecord:
        """Return how a model was trained; raises StateError where there is none."""
        return self._archive.load_record(model)

    def export(self, model: str) -> bytes:
        """Ask the peers for their shares and merge all into XGBoost's JSON.

        Raises:
            StateError: no such model, or a share of another one.
            PeerRefused: a peer does not allow it.
        """
        _, share = self._archive.load_model(model)
        agreed = self._agreements.reach("export", share.owners, model=model)
        sessions = self._sessions(share.owners, agreed.digest)
        return to_xgboost_json(
            share, {peer: scoring.ask_share(session, model) for peer, session in sessions.items()}
        )

    def peer_spans(self) -> dict[str, list[Span]]:
        """Return the steps that each peer told of while this process was recorded."""
        return self._https.spans()

    def _align(
        self, given: str | None, mode: Mode, config: Config, loaded: Rows, on_progress: Progress
    ) -> tuple[AlignmentRecord, dict[str, Alignment]]:
        name = chosen("alignment", given)
        free = self._archive.alignment_is_free if given is None else None
        agreed = self._agreements.reach(
            "align",
            config.peers,
            free=free,
            alignment=name,
            rows=len(loaded.identifiers.keys),
        )
        name = agreed.contract.alignment or name
        made = psi.align(
            self._sessions(config.peers, agreed.digest), loaded.identifiers, name, mode, on_progress
        )
        record = AlignmentRecord(
            alignment=name,
            mode=mode,
            source=connectors.describe(config),
            rows=len(loaded.identifiers.keys),
            common={peer: len(alignment.identifiers) for peer, alignment in made.items()},
            population=rows.population(loaded.identifiers.keys),
            created=database.now(),
        )
        self._archive.save_alignment(record, made)
        return record, made

    def _aligned(self, name: str | None) -> tuple[AlignmentRecord, dict[str, Alignment]]:
        return self._archive.load_alignment(
            name or self._archive.latest_alignment(connectors.describe(self._config))
        )

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

    def _scoring_sessions(self, model: str, alignment: str, peers: Iterable[str]) -> dict[str, LabelSession]:
        agreed = self._agreements.reach("score", peers, model=model, alignment=alignment)
        return self._sessions(peers, agreed.digest)

    def _sessions(self, peers: Iterable[str], contract: bytes) -> dict[str, LabelSession]:
        return {peer: LabelSession(self._channel, peer, contract=contract) for peer in peers}
