"""What jobs outlive: kills, restarts, full disks, cut networks, lost and double frames."""

from __future__ import annotations

import functools
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.processes import Command
from parties import config as configuration
from parties.config import Config
from parties.keys.paillier import private_key
from parties.label.party import LabelParty
from parties.link.retry import Patience
from parties.link.transport import HttpsChannel
from parties.storage.training_checkpoints import TrainingCheckpoints
from tests.faults.proxy import FaultyChannel, FrameFault, Proxy
from tests.support.hooked_transport import HookedTransport
from vfl.algorithms.trees.params import TreeParams
from vfl.crypto.paillier import PrivateKey
from vfl.errors import NotAligned, PeerUnreachable, StateError
from vfl.linear_model.params import LinearParams

ASKED = {"n_estimators": 3, "max_depth": 2, "max_bin": 8, "subsample": 0.8, "random_state": 5}
PARAMS = TreeParams(**ASKED)  # type: ignore[arg-type]
ARGUMENTS = [f"--param={name}={value}" for name, value in ASKED.items()]


def port_of(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("https://").split(":")
    return host, int(port)


@pytest.fixture(scope="module", autouse=True)
def _password() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VFL_PASSWORD", "test")
        yield


QUICK = Patience(first_pause=0.05, longest_pause=0.2)


@functools.cache
def key_in(directory: Path) -> PrivateKey:
    """The key of the bank, opened once: the cost of its password is not looked at here."""
    return private_key(configuration.load(directory))


def label_party(config: Config, *, patience: Patience = QUICK, transport: Any = None) -> LabelParty:
    return LabelParty(
        config, patience=patience, transport=transport, open_key=lambda config: key_in(config.directory)
    )


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory, maker: Any, grant: Any) -> tuple[Config, Config]:
    make = maker(tmp_path_factory.mktemp("parties"))
    bank = make("bank", "label")
    return bank, grant(make("bureau", "feature"), bank, limits={"min_rows": 50})


@pytest.fixture(scope="module")
def bank(parties: tuple[Config, Config]) -> Config:
    return parties[0]


@pytest.fixture(scope="module")
def bureau(parties: tuple[Config, Config]) -> Config:
    return parties[1]


@pytest.fixture(scope="module")
def proxy(bureau: Config, serving: Callable[[Config], Any]) -> Iterator[Proxy]:
    """What stands between the bank and a served bureau."""
    with serving(bureau) as url, Proxy(port_of(url)) as between:
        yield between


@pytest.fixture(scope="module")
def aligned(bank: Config, bureau: Config, proxy: Proxy, join: Any) -> Config:
    """The bank, which has aligned and trained a model without any disturbance."""
    joined: Config = join(bank, bureau, proxy.url)
    with label_party(joined) as party:
        party.align(name="a1")
        party.train(name="undisturbed", params=PARAMS)
    return joined


@pytest.fixture(scope="module")
def scores(aligned: Config) -> Any:
    """The scores of the undisturbed model."""
    with label_party(aligned) as party:
        return party.score("undisturbed", aligned.data.source).scores


@pytest.fixture
def label(aligned: Config) -> Iterator[LabelParty]:
    with label_party(aligned) as party:
        party.record("undisturbed")
        yield party


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """The name of a model that is the test's own."""
    return f"m{abs(hash(request.node.name))}"


def parts(bank: Config, bureau: Config, model: str) -> list[bytes]:
    """The bytes of both parties' parts of a model."""
    return [
        (bank.directory / f"state/models/{model}/part.json").read_bytes(),
        (bureau.directory / f"state/parts/bank/{model}.json").read_bytes(),
    ]


def trees_kept(bank: Config, model: str) -> int:
    """How many trees are kept of a training that was broken off."""
    return TrainingCheckpoints(bank).load(model).rounds


def after_trees(count: int, then: Callable[[], None]) -> Callable[[int, int, str], None]:
    """A progress callback that does something once, after so many trees."""
    done: list[int] = []

    def progress(trees: int, total: int, what: str) -> None:
        if trees == count and not done:
            done.append(trees)
            then()

    return progress


class Killed(BaseException):
    """Ends a training where it stands, as a signal does."""


def kill(*_: object) -> None:
    raise Killed


def killed_at_the_end(config: Config, then: Callable[..., Any] = kill) -> HookedTransport:
    """A transport that ends a job once the peer has done all of it: nothing of it is saved here."""
    return HookedTransport(HttpsChannel(config), "CloseLedger", before=then)


def test_a_broken_off_training_goes_on_to_the_same_bytes(
    label: LabelParty, name: str, bank: Config, bureau: Config
) -> None:
    """Killed after its second tree, a training goes on, and ends like an undisturbed one."""
    with pytest.raises(Killed):
        label.train(name=name, alignment="a1", params=PARAMS, on_progress=after_trees(2, kill))
    assert trees_kept(bank, name) == 2
    with pytest.raises(StateError, match=f"vfl train --resume {name}"):
        label.train(name=name, alignment="a1", params=PARAMS)
    seen: list[int] = []
    record = label.resume(name, on_progress=lambda trees, total, what: seen.append(trees))
    assert seen == [2, 3]
    assert record.facts["trees"] == 3
    assert parts(bank, bureau, name) == parts(bank, bureau, "undisturbed")
    assert TrainingCheckpoints(bank).is_free(name)
    assert label.resume(name).created == record.created
    with pytest.raises(StateError, match="no training of m2 was broken off"):
        label.resume("m2")
    assert not list((bank.directory / "state" / "training").glob(f"{name}*"))


def test_a_broken_off_linear_model_begins_again_to_the_same_bytes(
    label: LabelParty, name: str, bank: Config, bureau: Config
) -> None:
    """Nothing of its rounds is kept but what was asked: the model is trained from its start."""
    params = LinearParams(max_iter=4)
    label.train(name="linear", alignment="a1", params=params)
    with pytest.raises(Killed):
        label.train(name=name, alignment="a1", params=params, on_progress=after_trees(1, kill))
    assert trees_kept(bank, name) == 0
    label.resume(name)
    assert parts(bank, bureau, name) == parts(bank, bureau, "linear")


def test_a_broken_off_binning_is_made_again_to_the_same_bytes(
    label: LabelParty, aligned: Config, name: str, bank: Config, bureau: Config
) -> None:
    """Done again under its name, whatever of it had reached the peer."""
    made = []
    for binning in ("binned", name):
        if binning == name:
            with label_party(aligned, transport=killed_at_the_end(aligned)) as doomed, pytest.raises(Killed):
                doomed.bin(name=name, alignment="a1")
        label.bin(name=binning, alignment="a1")
        own, theirs = (party.directory / "state" / "binnings" for party in (bank, bureau))
        files = own / binning / "binning.json", theirs / "bank" / f"{binning}.json"
        made.append([file.read_bytes() for file in files])
    assert made[0] == made[1]


def test_a_model_that_came_about_meanwhile_is_not_trained_again(
    label: LabelParty, aligned: Config, name: str
) -> None:
    """A process that finds the lock free, because another one has just ended, leaves its model alone."""

    def meanwhile(*_: object) -> None:
        label.train(name=name, alignment="a1", params=PARAMS)

    transport = HookedTransport(HttpsChannel(aligned), "ProposeContract", after=meanwhile)
    with (
        label_party(aligned, transport=transport) as second,
        pytest.raises(StateError, match=f"model {name} exists already"),
    ):
        second.train(name=name, alignment="a1", params=PARAMS)
    assert label.record(name).facts["trees"] == 3


def test_what_tells_of_labels_is_private(label: LabelParty, name: str, bank: Config, bureau: Config) -> None:
    """Checkpoints and journals can be read by their owner only."""
    with pytest.raises(Killed):
        label.train(name=name, alignment="a1", params=PARAMS, on_progress=after_trees(2, kill))
    files = [
        bank.directory / "state/training" / f"{name}.checkpoint",
        bureau.directory / "state/journals/bank" / f"{name}.journal",
    ]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]


def test_other_data_does_not_go_on(label: LabelParty, name: str, bank: Config) -> None:
    """One changed value of the label party's ends the matter: a mixed model would be nobody's."""
    with pytest.raises(Killed):
        label.train(name=name, alignment="a1", params=PARAMS, on_progress=after_trees(1, kill))
    source = Path(bank.data.source)
    before = source.read_text()
    source.write_text(before.replace("c003,3,", "c003,4,"))
    try:
        with pytest.raises(NotAligned, match=f"the data has changed since the training of {name} began"):
            label.resume(name)
    finally:
        source.write_text(before)


def test_a_model_is_trained_by_one_process_at_a_time(label: LabelParty, name: str) -> None:
    """Whoever resumes what another process is training is told so."""
    refused: list[str] = []

    def resume() -> None:
        with pytest.raises(StateError, match="being trained by another process") as caught:
            label.resume(name)
        refused.append(str(caught.value))

    label.train(name=name, alignment="a1", params=PARAMS, on_progress=after_trees(1, resume))
    assert len(refused) == 1


def test_a_feature_party_that_restarts_is_met_without_a_person(
    label: LabelParty, name: str, bank: Config, bureau: Config, proxy: Proxy, serving: Any
) -> None:
    """Another server process in its place after the second tree, the training ends as ever."""
    second, before = serving(bureau), proxy.target

    def restart() -> None:
        proxy.cut()
        proxy.target = port_of(second.__enter__())
        proxy.mend()

    try:
        label.train(name=name, alignment="a1", params=PARAMS, on_progress=after_trees(2, restart))
    finally:
        proxy.target = before
        proxy.cut()
        proxy.mend()
        second.__exit__(None, None, None)
    assert parts(bank, bureau, name) == parts(bank, bureau, "undisturbed")


def test_a_cut_and_a_silent_network_are_waited_out(
    label: LabelParty, name: str, proxy: Proxy, bank: Config, bureau: Config
) -> None:
    """Connections that break or go silent for a while, early or late in a tree, only cost time."""
    label.train(
        name="cut", alignment="a1", params=PARAMS, on_progress=after_trees(1, lambda: proxy.cut_for(0.4))
    )

    def freeze() -> None:
        proxy.freeze()
        threading.Timer(0.4, proxy.mend).start()

    label.train(name="silent", alignment="a1", params=PARAMS, on_progress=after_trees(2, freeze))
    for number, passed in enumerate((1_000, 90_000)):
        proxy.passed, proxy.breaks = 0, passed
        label.train(name=f"broken-{number}", alignment="a1", params=PARAMS)
    assert proxy.broken == 2
    expected = parts(bank, bureau, "undisturbed")
    for model in ("cut", "silent", "broken-0", "broken-1"):
        assert parts(bank, bureau, model) == expected, model


def test_patience_ends(label: LabelParty, aligned: Config, name: str, bank: Config, proxy: Proxy) -> None:
    """A peer that stays away is reported after the configured time, and the trees stay."""
    hasty = QUICK._replace(seconds=0.3)
    try:
        with label_party(aligned, patience=hasty) as impatient, pytest.raises(PeerUnreachable):
            impatient.train(name=name, alignment="a1", params=PARAMS, on_progress=after_trees(2, proxy.cut))
    finally:
        proxy.mend()
    assert trees_kept(bank, name) == 2
    assert label.resume(name).facts["trees"] == 3


@pytest.mark.parametrize("what", ["lost", "answer lost", "twice", "late again", "early"])
def test_lost_double_and_reordered_frames_change_nothing(
    aligned: Config, name: str, bank: Config, bureau: Config, scores: Any, what: FrameFault
) -> None:
    """Every third frame of a training, an alignment and a scoring suffers it; results stay."""
    transport = FaultyChannel(HttpsChannel(aligned), lambda n, peer: what if n % 3 == 0 else "none")
    with label_party(aligned, transport=transport) as label:
        label.train(name=name, alignment="a1", params=PARAMS)
        assert parts(bank, bureau, name) == parts(bank, bureau, "undisturbed")
        label.align(name=f"{name[:9]}{what[0]}{len(what)}", source=bank.data.source)
        np.testing.assert_array_equal(label.score(name, bank.data.source).scores, scores)


def test_an_alignment_that_was_broken_off_blocks_nothing(
    label: LabelParty, aligned: Config, name: str, bank: Config
) -> None:
    """Fixed at the peer and not saved here, or saved here in part: the same name works the next time."""

    def die(*_: Any) -> None:
        directory = bank.directory / "state" / "alignments" / "a2"
        directory.mkdir()
        (directory / "bureau.alignment").write_bytes(b"half")
        kill()

    with label_party(aligned, transport=killed_at_the_end(aligned, die)) as doomed, pytest.raises(Killed):
        doomed.align(name="a2")
    assert label.align(name="a2").common == {"bureau": 150}
    assert label.train(name=name, alignment="a2", params=PARAMS).facts["trees"] == 3


def begun(bank: Config, name: str, trees: int) -> Command:
    """A process that trains, with so many trees on the disk; it must not have ended by then."""
    kept = bank.directory / "state" / "training" / f"{name}.checkpoint"
    process = Command(["train", str(bank.directory), "--model", name, "--alignment", "a1", *ARGUMENTS])
    while not kept.exists() or trees_kept(bank, name) < trees:
        assert process.code is None, process.wait()
        time.sleep(0.002)
    return process


def test_kill_9_of_the_label_party_loses_the_tree_under_way_at_most(
    label: LabelParty, name: str, bank: Config, bureau: Config
) -> None:
    """A real process, killed for real after some trees: --resume ends the same model."""
    process = begun(bank, name, 2)
    process.kill()
    process.wait()
    assert process.code == -signal.SIGKILL
    assert 2 <= trees_kept(bank, name) <= 3
    again = Command(["train", str(bank.directory), "--resume", name])
    said = again.wait()
    assert again.code == 0, said
    assert parts(bank, bureau, name) == parts(bank, bureau, "undisturbed")


def test_a_full_disk_is_told_and_harms_nothing(
    label: LabelParty, name: str, bank: Config, bureau: Config
) -> None:
    """A training that can write no more ends with the remedy; with room it goes on to the same model."""
    process = begun(bank, name, 0)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100, 100))
    said = process.wait()
    assert process.code
    assert "then try again" in said
    assert f"with `vfl train {bank.directory} --resume {name}`" in said
    assert "Traceback" not in said
    label.resume(name)
    assert parts(bank, bureau, name) == parts(bank, bureau, "undisturbed")
