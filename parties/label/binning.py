"""How a label party bins its own and its peers' columns by its labels, under a contract."""

from __future__ import annotations

import time
from functools import partial

from parties.label.client import LabelClient
from parties.label.trainer import TrainingData
from parties.link.retry import until_done
from parties.storage import database
from parties.storage.model_store import BinningRecord
from parties.storage.names import chosen
from parties.telemetry.progress import Progress, silent
from vfl.algorithms.scorecard.label_party import fit_binning
from vfl.algorithms.scorecard.model import LabelBinning
from vfl.algorithms.scorecard.params import BinningParams
from vfl.linear_model.evidence import to_json


class Binner:
    """Bins columns for a label party.

    Args:
        client: its connections to the peers.
    """

    def __init__(self, client: LabelClient) -> None:
        self._client = client

    def bin(
        self,
        *,
        alignment: str | None = None,
        name: str | None = None,
        params: BinningParams | None = None,
        validation_fraction: float = 0.0,
        on_progress: Progress = silent,
    ) -> tuple[BinningRecord, LabelBinning]:
        """Bin every party's columns by the labels; each party keeps its part under the name.

        Args:
            alignment: the newest one of ``[data]`` by default.
            name: of the binning; a fresh one by default.
            validation_fraction: fraction of rows, 0 to 0.9, that are not counted: a model on this binning
                keeps out the same ones.

        Raises:
            as `parties.label.trainer.Trainer.train`.
        """
        client, chosen_name, name = self._client, name, chosen("binning", name)
        client.models.check_new_binning(name)
        data = TrainingData.load(client, alignment, validation_fraction, seed=0)
        contract = client.contracts.obtain(
            "bin",
            data.alignments,
            free=partial(client.models.is_free, "binnings") if chosen_name is None else None,
            alignment=data.record.alignment,
            binning=name,
            rows=len(data.table.labels),
            key_bits=data.key.public_key.bits,
        )
        name = contract.terms.binning or name
        started = time.monotonic()
        binning = until_done(
            lambda: fit_binning(
                client.sessions(data.alignments, contract),
                data.alignments,
                data.table,
                params or BinningParams(),
                data.key,
                binning_id=name,
                fit=~data.watch,
                profile=client.config.crypto.profile,
                on_progress=on_progress,
            )
        )
        record = BinningRecord(
            binning=name,
            alignment=data.record.alignment,
            rows=int((~data.watch).sum()),
            validation_fraction=validation_fraction,
            seconds=round(time.monotonic() - started, 3),
            created=database.now(),
        )
        client.models.save_binning(record, to_json(binning))
        return record, binning
