"""The scoring service over real HTTPS with two feature parties."""

from __future__ import annotations

from typing import Any

import pytest

from parties.serving.answers import Record, Scored
from parties.serving.publish import publish, withdraw
from parties.serving.service import Service


def test_scores_are_those_of_batch(world: Any) -> None:
    """Every customer's online score equals its score in batch, bit for bit, unknown customers included."""
    publish(world.bank, "m1")
    with Service(world.bank) as service:
        records = [Record({"customer_id": key}) for key in world.scores]
        answer = service.score("m1", records)
        assert [result.score for result in answer.results] == list(world.scores.values())
        assert {result.mode for result in answer.results} == {"joint"}
