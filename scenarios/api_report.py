"""The report of scenarios that serve their model: what the scoring API answered, and how it compares."""

from __future__ import annotations

from typing import Any

import msgspec

from parties.report.tables import table
from scenarios.report import Report


class Decisions(msgspec.Struct, frozen=True, kw_only=True):
    """What the published threshold makes of the test rows.

    Attributes:
        rule: what the threshold was set by.
        threshold: score from which on a row is an alert.
        version: of the threshold.
        alerts: rows of the test file that are alerts.
        caught: those of them that are fraud.
        fraud: rows of the test file that are fraud.
    """

    rule: str
    threshold: float
    version: int
    alerts: int
    caught: int
    fraud: int


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """What the API answered while a feature party was stopped and started again.

    Attributes:
        partner: who was away.
        requests: that were sent from before it went until after it was back.
        joint, partial, bank_only: answers by mode, the least of their records' modes.
        server_errors: answers with a status of 500 or more.
        slowest_ms: that an answer took.
        seconds_until_joint: from the partner's listening again to the first joint answer.
    """

    partner: str
    requests: int
    joint: int
    partial: int
    bank_only: int
    server_errors: int
    slowest_ms: float
    seconds_until_joint: float


class Example(msgspec.Struct, frozen=True):
    """One request as a ``command`` to type in the directory that is kept, and the API's ``answer`` to it."""

    command: str
    answer: dict[str, Any]


class ApiReport(Report, frozen=True, kw_only=True):
    """A report that also tells of the scoring API.

    Attributes:
        parity_rows: test rows whose scores were compared: written by ``vfl score``, answered by the API in
            batches and (some of them) alone, and predicted by XGBoost with the merged model.
        parity_max_abs_diff: the largest difference between any two of these float32 scores.
        reasons_rows: test rows whose contributions were compared with XGBoost's of the merged model.
        reasons_max_abs_diff: the largest difference of one contribution, or of the margin before any.
        api_rows, api_rows_per_second: of batches.
        api_requests, api_p50_ms, api_p99_ms: of one record each, one after the other, over a warm connection.
        modes: answered records by mode.
        fallback: what happened while a feature party was away.
        decisions: what the published threshold makes of the test rows.
        example: one request and its answer.
        files: the evaluation and the ROC curves, relative to the directory that is kept.
    """

    parity_rows: int
    parity_max_abs_diff: float
    reasons_rows: int
    reasons_max_abs_diff: float
    api_rows: int
    api_rows_per_second: float
    api_requests: int
    api_p50_ms: float
    api_p99_ms: float
    modes: dict[str, int]
    fallback: Outage
    decisions: Decisions
    example: Example
    files: dict[str, str]

    def to_text(self) -> str:
        """Return the report as tables."""
        away, made = self.fallback, self.decisions
        modes = ", ".join(f"{rows:,} {mode}" for mode, rows in self.modes.items())
        lines = [
            ["scores compared", f"{self.parity_rows:,} rows"],
            ["largest difference: batch, API, XGBoost", f"{self.parity_max_abs_diff:g}"],
            ["contributions compared", f"{self.reasons_rows:,} rows"],
            ["largest difference: API, XGBoost", f"{self.reasons_max_abs_diff:.1e}"],
            ["API in batches", f"{self.api_rows_per_second:,.0f} rows/s"],
            [
                f"API alone, {self.api_requests} requests",
                f"p50 {self.api_p50_ms:.1f}, p99 {self.api_p99_ms:.1f} ms",
            ],
            ["answered", modes],
            [f"threshold {made.rule}, version {made.version}", f"{made.threshold:.4f}"],
            ["alerts", f"{made.alerts:,} of {self.api_rows:,}"],
            ["fraud caught", f"{made.caught:,} of {made.fraud:,}"],
            [f"while {away.partner} was away", f"{away.requests} requests, {away.server_errors} failed"],
            ["answered meanwhile", f"{away.joint} joint, {away.partial + away.bank_only} without it"],
            ["slowest answer meanwhile", f"{away.slowest_ms:,.0f} ms"],
            ["joint again after", f"{away.seconds_until_joint:.1f} s"],
        ]
        answer = msgspec.json.format(msgspec.json.encode(self.example.answer), indent=2).decode()
        asked = f"One request, and its answer:\n\n$ {self.example.command}\n{answer}"
        return "\n\n".join([super().to_text(), table(["the scoring API", ""], lines), asked])
