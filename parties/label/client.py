"""A label party connected to its peers: conversations under contracts, and alignments with all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from parties.config import Config
from parties.config.files import remove_abandoned
from parties.contracts.client import ContractClient, SignedContract
from parties.data import connectors, rows
from parties.data.rows import Rows
from parties.keys import paillier
from parties.ledger.entries import Ledger
from parties.link.channels import channel_to_peers
from parties.link.retry import PATIENCE, Patience, until_done
from parties.link.transport import HttpsChannel
from parties.storage import database
from parties.storage.model_store import AlignmentRecord, ModelStore
from parties.storage.names import chosen
from parties.telemetry.clock import SYSTEM_CLOCK, Clock
from parties.telemetry.progress import Progress, silent
from vfl.crypto.paillier import PrivateKey
from vfl.errors import ConfigError
from vfl.psi import label_party as psi
from vfl.psi.alignment import Alignment, Mode
from vfl.trace import Span
from vfl.wire.channel import Channel
from vfl.wire.session import LabelSession


class Transport(Channel, Protocol):
    """Carries frames to the peers, as `parties.link.transport.HttpsChannel` does."""

    def spans(self) -> dict[str, list[Span]]:
        """Return the steps that each peer reported."""

    def close(self) -> None:
        """Close the connections."""


class LabelClient:
    """A label party's connections to its peers; `close` ends them.

    Args:
        config: of a party whose role is label.
        clock: the time that the expiry of contracts is compared with.
        transport: carries frames; HTTPS by default.
        patience: how long a message is tried again.
        open_key: opens the Paillier key of a configuration.

    Attributes:
        models: alignments, binnings and models of the party.
        channel: carries messages to the peers.
        contracts: has contracts signed.

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
        if config.party.role != "label":
            raise ConfigError(f"{config.party.name} is a feature party; the label party runs this command")
        if not config.peers:
            raise ConfigError("no peer is configured; add one with `vfl party add-peer`")
        self.config = config
        self.models = ModelStore(config)
        remove_abandoned(config.path(config.store.directory))
        self._transport = transport or HttpsChannel(config)
        self._open_key = open_key
        engine = database.connect(config)
        self.channel = channel_to_peers(
            self._transport, Ledger(engine), config, retrying=True, patience=patience
        )
        self.contracts = ContractClient(config, self.channel, engine, clock)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def private_key(self) -> PrivateKey:
        """Return the Paillier key of this party, made when it is first needed; raises KeyFileError."""
        return self._open_key(self.config)

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
        """Return the steps that each peer reported while this process was recorded."""
        return self._transport.spans()

    def align_rows(
        self, chosen_name: str | None, mode: Mode, config: Config, loaded: Rows, on_progress: Progress
    ) -> tuple[AlignmentRecord, dict[str, Alignment]]:
        """Align rows that are loaded, under the chosen name or a fresh one; raises as :meth:`align`."""
        name, count = chosen("alignment", chosen_name), len(loaded.identifiers.keys)
        free = partial(self.models.is_free, "alignments") if chosen_name is None else None
        contract = self.contracts.obtain("align", config.peers, free=free, alignment=name, rows=count)
        name = contract.terms.alignment or name
        alignments = until_done(
            lambda: psi.align(
                self.sessions(config.peers, contract), loaded.identifiers, name, mode, on_progress
            )
        )
        record = AlignmentRecord(
            alignment=name,
            mode=mode,
            source=connectors.describe(config),
            rows=count,
            common={peer: len(alignment.identifiers) for peer, alignment in alignments.items()},
            population=rows.population(loaded.identifiers.keys),
            created=database.now(),
        )
        self.models.save_alignment(record, alignments)
        return record, alignments

    def load_alignment(self, name: str | None) -> tuple[AlignmentRecord, dict[str, Alignment]]:
        """Return an alignment, the newest one of ``[data]`` by default; raises StateError."""
        return self.models.load_alignment(
            name or self.models.latest_alignment(connectors.describe(self.config))
        )

    def sessions(self, peers: Iterable[str], contract: SignedContract) -> dict[str, LabelSession]:
        """Return new conversations with peers under a contract."""
        return {peer: LabelSession(self.channel, peer, contract=contract.digest) for peer in peers}
