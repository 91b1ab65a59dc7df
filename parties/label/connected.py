"""A label party connected to its peers: conversations, and alignments with all of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TypeVar

from parties import connectors, database, rows
from parties.config import Config
from parties.contracts.agreement import Agreed, Agreements
from parties.files import remove_abandoned
from parties.label.archive import AlignmentRecord, Archive
from parties.ledger.entries import Ledger, LedgerChannel
from parties.ledger.heads import SigningChannel
from parties.link.greeting import GreetingChannel
from parties.link.retry import PatientChannel, until_done
from parties.link.transport import HttpsChannel
from parties.names import chosen
from parties.progress import Progress, silent
from parties.rows import Rows
from vfl.errors import ConfigError
from vfl.psi import label_party as psi
from vfl.psi.alignment import Alignment, Mode
from vfl.trace import Span
from vfl.wire.session import LabelSession

_Party = TypeVar("_Party", bound="ConnectedParty")


class ConnectedParty:
    """A label party with connections to its peers. Use it as a context manager.

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
        remove_abandoned(config.path(config.store.directory))
        self._https = HttpsChannel(config)
        engine = database.connect(config)
        ledger = Ledger(engine)
        patient = PatientChannel(LedgerChannel(self._https, ledger))
        self._channel = GreetingChannel(SigningChannel(patient, ledger, config))
        self._agreements = Agreements(config, self._channel, engine)

    def __enter__(self: _Party) -> _Party:
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

    def peer_spans(self) -> dict[str, list[Span]]:
        """Return the steps that each peer told of while this process was recorded."""
        return self._https.spans()

    def _align(
        self, given: str | None, mode: Mode, config: Config, loaded: Rows, on_progress: Progress
    ) -> tuple[AlignmentRecord, dict[str, Alignment]]:
        name, count = chosen("alignment", given), len(loaded.identifiers.keys)
        free = partial(self._archive.is_free, "alignments") if given is None else None
        agreed = self._agreements.reach("align", config.peers, free=free, alignment=name, rows=count)
        name = agreed.contract.alignment or name
        made = until_done(
            lambda: psi.align(
                self._sessions(config.peers, agreed), loaded.identifiers, name, mode, on_progress
            )
        )
        record = AlignmentRecord(
            alignment=name,
            mode=mode,
            source=connectors.describe(config),
            rows=count,
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

    def _sessions(self, peers: Iterable[str], agreed: Agreed) -> dict[str, LabelSession]:
        """Return new conversations with peers under a contract."""
        return {peer: LabelSession(self._channel, peer, contract=agreed.digest) for peer in peers}
