"""Publishing: what a publication holds, and that nothing is published where scores disagree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from parties.label.party import LabelParty
from parties.serving.publication import Publication, Publications, Withdrawal
from parties.serving.publish import publish, withdraw
from parties.serving.service import Service
from parties.storage.model_store import PART, ModelStore
from tests.support.serving_world import record
from vfl.algorithms.trees.messages import DirectionsGiven
from vfl.errors import ParameterError, PeerUnreachable, StateError
from vfl.evaluation.thresholds import Rule
from vfl.wire.message import Message


def test_a_publication_is_a_version_that_stays(world: Any) -> None:
    """Publications are numbered, kept as they were, and a withdrawal is one of them."""
    first = publish(world.bank, "m1", rule=Rule("fpr", 0.05))
    second = publish(world.bank, "m1", rule=Rule("score", 0.5), fallback="bank_only")
    kept = Publications(world.bank)
    assert second.number == first.number + 1
    assert (kept.load("m1", first.number), kept.load("m1", second.number)) == (first, second)
    assert (first.threshold.rule, second.threshold.joint) == ("fpr=0.05", 0.5)
    last = withdraw(world.bank, "m1")
    assert kept.newest()["m1"] == last.number
    assert isinstance(kept.load("m1", last.number), Withdrawal)
    with pytest.raises(StateError, match="not published"):
        withdraw(world.bank, "m1")


def test_the_threshold_keeps_its_rule_on_validation_rows(world: Any) -> None:
    """Of the good customers kept out of training at most the given share are alerts, in both models."""
    made = publish(world.bank, "m1", rule=Rule("fpr", 0.1))
    with LabelParty(world.bank) as party:
        known = party.evaluation_data("m1")
    good = known.labels == 0
    assert 0.02 < np.mean(known.together[good] >= np.float32(made.threshold.joint)) <= 0.1
    assert made.metrics_on == "validation"


def test_another_population_can_be_scored_by_key(world: Any, tmp_path: Path) -> None:
    """The customers of a file take the place of those of [data]; the file is aligned once."""
    table = pd.read_csv(world.bank.data.source).drop(columns="default").iloc[80:130]
    table.to_csv(tmp_path / "new.csv", index=False)
    made = publish(world.bank, "m1", population=str(tmp_path / "new.csv"))
    assert (made.population.source, made.population.rows) == ("new.csv", 50)
    assert made.population.known == {"bureau": 30, "telco": 50}
    again = publish(world.bank, "m1", population=str(tmp_path / "new.csv"))
    assert again.alignment == made.alignment


def test_answers_that_differ_from_batch_stop_publishing(world: Any) -> None:
    """A feature party that answers small requests otherwise than large ones is found out."""
    _, part = ModelStore(world.bank).load_model("m1")
    row_bytes = (part.peers[part.owners.index("telco")].outputs + 7) // 8

    def lie(reply: Message) -> Message:
        if isinstance(reply, DirectionsGiven) and 0 < len(reply.go_left) < 300 * row_bytes:
            return DirectionsGiven(bytes(byte ^ 1 for byte in reply.go_left))
        return reply

    before = Publications(world.bank).newest()
    world.servers["telco"].lie = lie
    with pytest.raises(StateError, match=r"of 500 customers have different scores online and in batch"):
        publish(world.bank, "m1")
    assert Publications(world.bank).newest() == before


def test_a_part_that_is_not_the_trained_one_is_not_published(world: Any) -> None:
    """A leaf altered in the stored part is noticed, and the model is not served either."""
    publish(world.bank, "m1")
    file = ModelStore(world.bank).models / "m1" / PART
    trained = file.read_bytes()
    part = msgspec.json.decode(trained)
    part["trees"][0]["value"][-1] += 0.125
    file.write_bytes(msgspec.json.encode(part))
    try:
        with pytest.raises(StateError, match="not as it was trained"):
            publish(world.bank, "m1")
        with Service(world.bank) as service:
            assert service.ready().models == []
    finally:
        file.write_bytes(trained)


def test_a_partner_that_is_down_stops_publishing(world: Any) -> None:
    """What cannot be compared is not published."""
    world.servers["telco"].stop()
    before = Publications(world.bank).newest()
    with pytest.raises(PeerUnreachable, match="telco"):
        publish(world.bank, "m1")
    assert Publications(world.bank).newest() == before


def test_a_rule_that_needs_days_says_so(world: Any) -> None:
    """Alerts a day need the day of each row."""
    with pytest.raises(ParameterError, match=r"data\.day"):
        publish(world.bank, "m1", rule=Rule("alerts_per_day", 5))


def test_customers_who_came_after_the_alignment_are_partial(world: Any) -> None:
    """A row added to the data since is scored by its own columns, and told to be so."""
    made = publish(world.bank, "m1")
    assert isinstance(made, Publication)
    source = Path(world.bank.data.source)
    before = source.read_bytes()
    try:
        with source.open("a") as file:
            file.write("c777,0.5,0.5,0\n")
        with Service(world.bank) as service:
            new, old = service.score("m1", [record(key) for key in ("c777", "c200")]).results
            assert (new.mode, new.parties["telco"]) == ("partial", "not_aligned")
            assert (old.mode, old.score) == ("joint", world.scores["c200"])
    finally:
        source.write_bytes(before)
