"""A label party connected to its peers: conversations under contracts, and alignments with all of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from parties.config import Config
from parties.config.files import remove_abandoned
from parties.contracts.client import ContractClient, SignedContract
from parties.data import connectors, rows
from parties.data.rows import Rows
from parties.ledger.entries import Ledger
from parties.link.channels import channel_to_peers
from parties.link.retry import until_done
from parties.link.transport import HttpsChannel
from parties.storage import database
from parties.storage.model_store import AlignmentRecord, ModelStore
from parties.storage.names import chosen
from parties.telemetry.clock import SYSTEM_CLOCK, Clock
from parties.telemetry.progress import Progress, silent
from vfl.errors import ConfigError
from vfl.psi import label_party as psi
from vfl.psi.alignment import Alignment, Mode
from vfl.trace import Span
from vfl.wire.session import LabelSession


class LabelClient:
    """A label party's connections to its peers; `close` ends them.

    Args:
        config: of a party whose role is label.
        clock: what the expiry of contracts is held against.

    Attributes:
        models: what the party keeps.
        channel: carries messages to the peers.
        contracts: has contracts signed.

    Raises:
        ConfigError: the role is another one, or no peer is configured.
    """

    def __init__(self, config: Config, clock: Clock = SYSTEM_CLOCK) -> None:
        if config.party.role != "label":
            raise ConfigError(f"{config.party.name} is a feature party; the label party runs this command")
        if not config.peers:
            raise ConfigError("no peer is configured; add one with `vfl party add-peer`")
        self.config = config
        self.models = ModelStore(config)
        remove_abandoned(config.path(config.store.directory))
        self._https = HttpsChannel(config)
        engine = database.connect(config)
        self.channel = channel_to_peers(self._https, Ledger(engine), config, retrying=True)
        self.contracts = ContractClient(config, self.channel, engine, clock)

    def close(self) -> None:
        """Close the connections."""
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
            self.models.check_new_alignment(chosen("alignment", name))
        config = self.config if source is None else self.config.with_source(source)
        table = rows.load(config, training=source is None)
        return self.align_rows(name, mode, config, table, on_progress)[0]

    def peer_spans(self) -> dict[str, list[Span]]:
        """Return the steps that each peer told of while this process was recorded."""
        return self._https.spans()

    def align_rows(
        self, given: str | None, mode: Mode, config: Config, loaded: Rows, on_progress: Progress
    ) -> tuple[AlignmentRecord, dict[str, Alignment]]:
        """Align rows that are loaded, under a name that was given or is made up; raises as :meth:`align`."""
        name, count = chosen("alignment", given), len(loaded.identifiers.keys)
        free = partial(self.models.is_free, "alignments") if given is None else None
        agreed = self.contracts.obtain("align", config.peers, free=free, alignment=name, rows=count)
        name = agreed.terms.alignment or name
        made = until_done(
            lambda: psi.align(
                self.sessions(config.peers, agreed), loaded.identifiers, name, mode, on_progress
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
        self.models.save_alignment(record, made)
        return record, made

    def aligned(self, name: str | None) -> tuple[AlignmentRecord, dict[str, Alignment]]:
        """Return an alignment, the newest one of ``[data]`` by default; raises StateError."""
        return self.models.load_alignment(
            name or self.models.latest_alignment(connectors.describe(self.config))
        )

    def sessions(self, peers: Iterable[str], agreed: SignedContract) -> dict[str, LabelSession]:
        """Return new conversations with peers under a contract."""
        return {peer: LabelSession(self.channel, peer, contract=agreed.digest) for peer in peers}
