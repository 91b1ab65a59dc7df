"""The label party's side: it encrypts labels, and decrypts their sums by bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.plugin.label_means import messages as m
from tests.plugin.label_means.bins import bin_numbers, cut_points, one_hot
from tests.plugin.label_means.params import LabelMeansParams
from tests.plugin.label_means.parts import LabelMeansLabelPart, LabelMeansPeer
from vfl.aggregation.bitmap import to_bitmap
from vfl.aggregation.ciphertext_stream import send_ciphertexts
from vfl.aggregation.encrypted_rows import EncryptedRows, encrypted_pairs
from vfl.aggregation.packed_sums import SumOpener
from vfl.aggregation.row_order import common_order
from vfl.algorithms.descriptor import TrainingInputs
from vfl.arrays import Bool, Float64, Integers
from vfl.crypto.packing import GradientPacking
from vfl.crypto.paillier import Decryptor, Encryptor
from vfl.errors import DataError, OutOfRange


@dataclass(frozen=True)
class Labels:
    """The labels of a training: int64 [n], bool [n] which rows train, and their mean."""

    values: Integers
    fit: Bool
    base_rate: float

    @classmethod
    def of(cls, inputs: TrainingInputs) -> Labels:
        """Return the labels of a table; raises DataError unless they are 0 and 1, without weights."""
        values, fit = inputs.table.labels, ~inputs.watch
        if inputs.table.weights is not None or not np.isin(values, (0, 1)).all() or not fit.any():
            raise DataError("label means need rows without weights, of labels 0 and 1")
        return cls(values.astype(np.int64), fit, float(values[fit].mean(dtype=np.float64)))


def train(inputs: TrainingInputs, params: LabelMeansParams) -> LabelMeansLabelPart:
    """Train with any number of feature parties.

    Raises:
        DataError: labels other than 0 and 1, or weights.
        NotAligned, PeerError: as their names say.
    """
    labels = Labels.of(inputs)
    table = inputs.table
    own = table.columns[labels.fit]
    cuts = cut_points(own, params.bins)
    n_bins = np.array([len(ends) + 1 for ends in cuts], dtype=np.int64)
    bits = one_hot(bin_numbers(own, cuts), n_bins)
    events, rows = bits[labels.values[labels.fit] == 1].sum(axis=0), bits.sum(axis=0)
    return LabelMeansLabelPart(
        params=params,
        base_rate=labels.base_rate,
        columns=list(table.names),
        cuts=cuts,
        means=_means(events, rows, n_bins, labels.base_rate),
        owners=list(inputs.sessions),
        peers=_peers(inputs, params, labels) if inputs.sessions else [],
    )


def _peers(inputs: TrainingInputs, params: LabelMeansParams, labels: Labels) -> list[LabelMeansPeer]:
    rows_of = {peer: inputs.table.rows_of(inputs.alignments[peer]) for peer in inputs.sessions}
    packing = GradientPacking(0, int(labels.fit.sum()), 1.0, 1.0)
    encryptor = Encryptor(inputs.private_key, inputs.profile)
    uses = np.bincount(np.concatenate(list(rows_of.values())), minlength=len(labels.fit))
    order = common_order(
        len(labels.fit), list(rows_of.values()), [inputs.alignments[peer] for peer in rows_of]
    )
    wanted = order[(labels.fit & (uses > 0))[order]]
    ones = np.ones(len(labels.fit), dtype=np.int64)
    encrypted = encrypted_pairs(encryptor, packing, labels.values, ones, wanted, uses)
    opener = SumOpener(encryptor.public_key, Decryptor(inputs.private_key), packing)
    peers = []
    for number, (peer, rows) in enumerate(rows_of.items(), start=1):
        peers.append(_peer(inputs, params, labels, encrypted, opener, packing, peer, rows))
        inputs.on_progress(number, len(rows_of), f"sums of {peer}")
    return peers


def _peer(
    inputs: TrainingInputs,
    params: LabelMeansParams,
    labels: Labels,
    encrypted: EncryptedRows,
    opener: SumOpener,
    packing: GradientPacking,
    peer: str,
    rows: Integers,
) -> LabelMeansPeer:
    """Run the job with one feature party."""
    session, alignment = inputs.sessions[peer], inputs.alignments[peer]
    opened = session.ask(
        m.OpenLabelMeans(
            model=inputs.model_id,
            alignment=alignment.id,
            fingerprint=alignment.fingerprint,
            fit_rows=to_bitmap(labels.fit[rows]),
            public_key=inputs.private_key.public_key.to_bytes(),
            packed_rows=packing.n_rows,
            bins=params.bins,
        ),
        m.LabelMeansOpened,
    )
    n_bins = np.array([column.bins for column in opened.columns], dtype=np.int64)
    fit_rows = rows[labels.fit[rows]]
    send_ciphertexts(session, encrypted, fit_rows, m.EncryptedLabels, m.EncryptedLabelsReceived)
    sums = session.ask(m.SumLabels(), m.LabelSums).ciphertexts
    events, counts = opener.open(peer, sums, int(n_bins.sum()), len(fit_rows))
    if (events < 0).any() or (events > counts).any():
        raise OutOfRange(f"{peer} sent sums that are no counts of labels")
    session.ask(m.CloseLabelMeans(), m.LabelMeansClosed)
    shown = [column.name for column in opened.columns]
    return LabelMeansPeer(shown=shown, means=_means(events, counts, n_bins, labels.base_rate))


def _means(
    events: Float64 | Integers, rows: Float64 | Integers, n_bins: Integers, base: float
) -> list[list[float]]:
    """Return the mean label of each bin by column; the base rate for a bin without rows."""
    means = np.where(rows > 0, events / np.maximum(rows, 1), base)
    return [column.tolist() for column in np.split(means, np.cumsum(n_bins)[:-1])]
