"""The feature party's side of logistic regression on secret shares, up to its first step.

It makes a key of its own for the job and keeps nothing of it but its coefficients. Its steps are in
`vfl.algorithms.secret_shared.feature_party_steps`.
"""

from __future__ import annotations

import msgspec
import numpy as np

from vfl.aggregation.ciphertext_stream import CiphertextReceiver
from vfl.aggregation.journal import Journal, terms_digest
from vfl.algorithms.secret_shared import messages as m
from vfl.algorithms.secret_shared.ciphers import Ciphers, Peer
from vfl.algorithms.secret_shared.cross_products import FeatureSums
from vfl.algorithms.secret_shared.encoding import MOST_ROWS, matrix
from vfl.algorithms.secret_shared.feature_party_steps import SharedJob, Stepping
from vfl.algorithms.secret_shared.fourier import HARMONICS, NO_PHASES
from vfl.algorithms.secret_shared.gradient_descent import Plan, whole_gradient
from vfl.algorithms.secret_shared.gradient_step import GradientStep
from vfl.algorithms.secret_shared.whitening import Basis
from vfl.arrays import Limbs
from vfl.crypto.paillier import PrivateKey, Profile, PublicKey, generate
from vfl.errors import OutOfRange
from vfl.linear_model.columns import TrainingColumns
from vfl.linear_model.evidence import BinningStore
from vfl.linear_model.scaling import CLIPPED
from vfl.trace import span
from vfl.wire.worker import Answer, Phase, answers


class Opening(Phase):
    """Before the job is opened.

    Args:
        store: this party's alignments, columns, binnings and parts.
        show_columns: whether the label party learns the names of this party's columns.
        profile: randomness of encryption, see `vfl.crypto.paillier.Encryptor`.
    """

    def __init__(
        self, store: BinningStore, *, show_columns: bool = False, profile: Profile = "short"
    ) -> None:
        self._store, self._show_columns, self._profile = store, show_columns, profile

    @answers(m.OpenShared)
    def open(self, request: m.OpenShared) -> Answer:
        """Load columns, turn them into coordinates, and make a key."""
        columns = TrainingColumns.load(
            self._store,
            request.alignment,
            request.fingerprint,
            request.binning,
            standardise=request.standardise,
            limit=CLIPPED,
        )
        if not len(columns.scaled) <= request.rows <= MOST_ROWS:
            raise OutOfRange(f"the job has fewer rows than are aligned, or more than {MOST_ROWS}")
        key = PublicKey.from_bytes(request.public_key)
        # The largest coordinate may be another one, since coordinates are turned at random each time.
        terms = msgspec.structs.replace(request, public_key=b"-", exponent=0)
        journal = Journal(self._store, request.model, terms_digest(terms, columns.scaled))
        with span("whiten"):
            rows = columns.with_strangers(request.rows - len(columns.scaled))
            basis = Basis.from_columns(rows, np.full(rows.shape[1], request.l2))
        private_key: PrivateKey = generate(-(-key.bits // 256) * 256)
        peer = Peer(key, request.width, request.exponent)
        ciphers = Ciphers(private_key, self._profile, peer, request.rows)
        opened = m.SharedOpened(
            columns.shown(self._show_columns),
            private_key.public_key.to_bytes(),
            basis.width,
            basis.exponent,
            basis.penalty.astype("<f8").tobytes(),
        )
        job = SharedJob(self._store, request.model, columns, basis, ciphers)
        return opened, CrossSumming(job, journal, request.steps)


class CrossSumming(Phase):
    """While the label party's rows come.

    Args:
        job: opened.
        journal: of the model.
        steps: most steps of the job.
    """

    def __init__(self, job: SharedJob, journal: Journal, steps: int) -> None:
        self._job, self._journal, self._steps = job, journal, steps
        self._sums = FeatureSums(job.ciphers, job.basis)
        self._receiver = CiphertextReceiver(
            job.ciphers.peer.key, job.ciphers.rows, self._add, row_ciphertexts=self._sums.plaintexts
        )

    def _add(self, first: int, residues: Limbs) -> None:
        with span("sum rows"):
            self._sums.add(first, residues)

    @answers(m.LabelRows)
    def receive(self, request: m.LabelRows) -> Answer:
        """Add a chunk of rows to the sums."""
        return m.LabelRowsTaken(self._receiver.receive(request)), self

    @answers(m.AskCrossSums)
    def mask(self, request: m.AskCrossSums) -> Answer:
        """Give the sums, masked."""
        self._receiver.check_complete()
        with span("mask"):
            sums, masks, labels = self._sums.masked()
        self._journal.tell()
        return m.CrossSumsGiven(sums, masks), Planning(self._job, labels, self._steps)


class Planning(Phase):
    """Before the plan of all steps comes.

    Args:
        job: opened.
        labels: shares of what labels add to the gradient of this party's coordinates.
        steps: most steps of the job.
    """

    def __init__(self, job: SharedJob, labels: list[int], steps: int) -> None:
        self._job, self._labels, self._steps = job, labels, steps

    @answers(m.GivePlan)
    def plan(self, request: m.GivePlan) -> Answer:
        """Get ready for the first step."""
        if len(request.amplitudes) != HARMONICS:
            raise OutOfRange(f"{HARMONICS} amplitudes were due")
        ciphers, basis = self._job.ciphers, self._job.basis
        k, d = ciphers.peer.width, basis.width
        plan = Plan(
            matrix(request.gain, (k + d, k + d)),
            matrix(request.damping, (k + d, k + d)),
            request.momentum,
            request.level,
            np.array(request.amplitudes),
        )
        level = whole_gradient(plan.level * basis.columns.sum(axis=0))
        constant = [0] * k + [a + b for a, b in zip(level, self._labels, strict=True)]
        own, other = slice(k, k + d), slice(0, k)
        step = GradientStep(ciphers, basis, own, other, plan, [0] * (k + d), constant, NO_PHASES)
        return m.PlanTaken(ciphers.rows), Stepping(self._job, step, done=0, left=self._steps)
