"""What docs/protocol.md says of messages, checked on the messages of a training and a scoring."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from vfl.aggregation.table import LabelTable
from vfl.algorithms.trees import messages as m
from vfl.algorithms.trees.label_party import train
from vfl.algorithms.trees.messages import DirectionsGiven
from vfl.algorithms.trees.params import TreeParams
from vfl.jobs import PROTOCOL
from vfl.scoring.label_party import score
from vfl.scoring.messages import ScoringOpened

ROWS = 150
PARAMS = TreeParams(n_estimators=2, max_depth=2, max_bin=8, subsample=0.8)


@pytest.fixture
def columns():
    """A label party's columns and a telco's, by customer; the telco does not know the last thirty."""
    rng = np.random.default_rng(5)
    customers = [f"CUSTOMER-{i:04d}" for i in range(ROWS)]
    label = pd.DataFrame(rng.normal(size=(ROWS, 2)), index=customers, columns=["age_in_days", "balance_mean"])
    telco = pd.DataFrame(
        rng.normal(size=(ROWS - 30, 2)), index=customers[:-30], columns=["roaming", "sim_swaps"]
    )
    labels = (label["age_in_days"].to_numpy() + rng.normal(size=ROWS) > 0).astype(np.float32)
    return label, telco, labels


@pytest.fixture
def trained(consortium, private_key, columns):
    """Train on given labels; returns the consortium, the label party's share, all frames and the rows."""

    def run(labels):
        label, telco, _ = columns
        group = consortium(label, {"telco": telco}, show_columns=False)
        frames = _tap(group)
        table = LabelTable(list(label.index), list(label.columns), label.to_numpy(np.float32), labels)
        result = train(group.sessions(), group.alignments, table, PARAMS, private_key, model_id="m")
        return group, result.part, frames, table

    return run


def _tap(group):
    """Keep the replies of the telco too: returns a list of (request frame, reply frame)."""
    exchange, frames = group.channel.exchange, []

    def recording(peer, frame):
        reply = exchange(peer, frame)
        frames.append((frame, reply))
        return reply

    group.channel.exchange = recording
    return frames


def test_openings_do_not_depend_on_who_has_which_label(trained, columns):
    """Exchange the labels of all customers: what is told before ciphertexts is the same, byte for byte."""
    labels = columns[2]
    told = []
    for arrangement in (labels, np.roll(labels, 7)):
        _, _, frames, _ = trained(arrangement)
        requests = [PROTOCOL.decode_request(request).body for request, _ in frames]
        told.append([body for body in requests if isinstance(body, (m.OpenTraining, m.OpenTree))])
    assert told[0] == told[1]
    assert len(told[0]) == 3


def test_no_frame_names_a_customer_or_a_hidden_column(trained, columns):
    """Neither direction carries an identifier, a label party's column name, or a name its owner hides."""
    _, part, frames, _ = trained(columns[2])
    spoken = b"".join(request + reply for request, reply in frames)
    secrets = [*columns[0].index, *columns[0].columns, *columns[1].columns]
    assert len(part.trees) == 2
    assert not [name for name in secrets if name.encode() in spoken]


def test_scoring_asks_for_every_split_whatever_the_path(trained, columns):
    """Other labels' trees and other own columns of the rows change no request of a scoring."""
    group, part, frames, table = trained(columns[2])
    asked = []
    for own in (table.columns, -table.columns):
        frames.clear()
        rows = LabelTable(table.identifiers, table.names, own)
        score(group.sessions(), group.alignments, part, rows, model_id="m")
        asked.append([PROTOCOL.decode_request(request).body for request, _ in frames])
    assert asked[0] == asked[1]
    given = [PROTOCOL.decode_reply(reply).body for _, reply in frames]
    bits = next(body.go_left for body in given if isinstance(body, DirectionsGiven))
    splits = next(body.outputs for body in given if isinstance(body, ScoringOpened))
    assert len(bits) == (ROWS - 30) * -(-splits // 8)
