"""The report that all scenarios end with: tables for a reader, JSON for a program."""

from __future__ import annotations

from pathlib import Path

import msgspec

from parties.report.tables import table
from vfl.algorithms.trees.compare import Choice, Difference
from vfl.algorithms.trees.disclosure_control import DisclosureReport
from vfl.arrays import Float32
from vfl.evaluation import metrics

MEASURES = {
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "ks": "KS",
    "recall_at_1_percent_fpr": "recall at 1% FPR",
    "recall_at_5_percent_fpr": "recall at 5% FPR",
}


class Quality(msgspec.Struct, frozen=True):
    """How well scores rank labels; each measure is 0 to 1."""

    roc_auc: float
    pr_auc: float
    ks: float
    recall_at_1_percent_fpr: float
    recall_at_5_percent_fpr: float


class Traffic(msgspec.Struct, frozen=True):
    """Bytes of messages that the label party exchanged with one partner."""

    bytes_sent: int
    bytes_received: int


class Audited(msgspec.Struct, frozen=True):
    """What an audit of a party's ledger found: nothing, or the run would have ended there.

    Attributes:
        entries: of the ledger, the last with hash ``head``.
        signed: jobs that both parties signed.
        unsigned: jobs that were broken off, or not signed.
    """

    entries: int
    head: str
    signed: int
    unsigned: list[str]


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """What every scenario reports.

    Attributes:
        title: what was done, in a line.
        rows: by population its number of rows.
        auc: ROC-AUC of the label party ``alone``, of all ``together``, and ``pooled``.
        quality: all measures, by the same names.
        train_seconds: wall time of training.
        phases: by step its wall time in seconds, the start of programs included.
        bytes_sent, bytes_received: by the label party, over all partners.
        partners: the same by partner.
        ledgers: by party what an audit of its ledger found.
        peak_rss_mb: by party the most memory that one of its processes held, MiB.
        key_bits, kernel, threads: of the label party's cryptography.
    """

    title: str
    rows: dict[str, int]
    auc: dict[str, float]
    quality: dict[str, Quality]
    train_seconds: float
    phases: dict[str, float]
    bytes_sent: int
    bytes_received: int
    partners: dict[str, Traffic]
    ledgers: dict[str, Audited]
    peak_rss_mb: dict[str, float]
    key_bits: int
    kernel: str
    threads: int

    def to_json(self) -> bytes:
        """Return the report as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    def to_text(self) -> str:
        """Return the report as tables."""
        blocks = [
            table(
                ["", *MEASURES.values()],
                [
                    [name, *(f"{getattr(quality, measure):.4f}" for measure in MEASURES)]
                    for name, quality in self.quality.items()
                ],
            ),
            table(["phase", "seconds"], [[name, f"{seconds:.1f}"] for name, seconds in self.phases.items()]),
            table(
                ["bytes", "sent", "received"],
                [
                    [name, size(traffic.bytes_sent), size(traffic.bytes_received)]
                    for name, traffic in self.partners.items()
                ],
            ),
            table(
                ["party", "peak memory", "ledger entries", "jobs signed by both"],
                [
                    [name, f"{mb:,.0f} MiB", f"{ledger.entries:,}", f"{ledger.signed:,}"]
                    for name, mb in self.peak_rss_mb.items()
                    for ledger in (self.ledgers[name],)
                ],
            ),
            "\n".join(
                [
                    *self.verdict(),
                    "every ledger verified: none was changed, each as the other parties signed it",
                    f"Paillier key {self.key_bits} bits, kernel {self.kernel}, {self.threads} threads",
                ]
            ),
        ]
        return "\n\n".join([self.title, *blocks])

    def verdict(self) -> list[str]:
        """Return what the judge says, in lines."""
        return []

    def write(self, file: Path | None) -> None:
        """Write the JSON to a file, if one is wanted."""
        if file is not None:
            file.write_bytes(self.to_json())


class Report(RunReport, frozen=True, kw_only=True):
    """What a scenario about trees reports.

    Attributes:
        auc_known: as ``auc``, on the test rows that every partner knows.
        identical_trees: whether the trees are those of xgboost on the pooled table; ties count as such.
        differences: every node where they part, ties included, in words.
        disclosure: by partner, what its disclosure control changed; trees are to be identical only where it
            changed nothing.
    """

    auc_known: dict[str, float]
    identical_trees: bool
    differences: list[str]
    disclosure: dict[str, DisclosureReport]

    def verdict(self) -> list[str]:
        """Return what xgboost says, in lines."""
        verdict = "yes" if self.identical_trees else "no"
        if self.identical_trees and self.differences:
            verdict += ", up to ties:"
        alone, together = (self.quality[name].recall_at_1_percent_fpr for name in ("alone", "together"))
        rows, auc = self.rows, self.auc_known
        return [
            f"with 1 false alarm in 100 good customers: {alone:.0%} found alone, {together:.0%} together",
            f"ROC-AUC on the {rows['test_known']:,} of {rows['test']:,} test rows that every partner "
            f"knows: {auc['together']:.4f} together, {auc['pooled']:.4f} pooled",
            f"trees identical to pooled xgboost: {verdict}",
            *(f"  {difference}" for difference in self.differences),
            *(
                f"  disclosure control of {partner}: {changes}"
                for partner, changes in self.disclosure.items()
                if changes
            ),
        ]


def quality(labels: Float32, scores: Float32) -> Quality:
    """Measure scores [n] against labels [n]; raises DataError where all labels are alike."""
    return Quality(
        metrics.roc_auc(labels, scores),
        metrics.pr_auc(labels, scores),
        metrics.ks(labels, scores),
        metrics.recall_at_fpr(labels, scores, 0.01),
        metrics.recall_at_fpr(labels, scores, 0.05),
    )


def explain(difference: Difference) -> str:
    """Say where two trees part, and whether it is a tie."""
    kind = "a tie" if difference.is_tie else "a real difference"
    ours, theirs = _choice(difference.ours), _choice(difference.theirs)
    return f"tree {difference.tree}, node {difference.node[0]}: {ours} here, {theirs} pooled: {kind}"


def size(count: float) -> str:
    """Return a number of bytes in the largest unit that leaves at least 1: ``1.5 MB``."""
    for unit in ("B", "kB", "MB"):
        if count < 1_000:
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1_000
    return f"{count:,.1f} GB"


def _choice(choice: Choice | None) -> str:
    if choice is None:
        return "no tree"
    if choice.feature is None:
        return f"leaf {choice.value:.6g}"
    return f"column {choice.feature} below {choice.value:.6g} (gain {choice.gain:.6g})"
