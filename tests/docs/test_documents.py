"""Documents that cannot rot: the commands, messages, states, tests and links in them exist."""

from __future__ import annotations

import configparser
import re
import subprocess
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import get_args

import click
import msgspec
import pytest

from parties.commands.cli import main
from parties.config.settings import Limits
from vfl.jobs import PROTOCOL
from vfl.wire.handshake import Hello, Welcome
from vfl.wire.message import Refusal

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PROTOCOL_PAGE = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = README + (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")

MESSAGES = list(dict.fromkeys([*PROTOCOL.replies, *PROTOCOL.replies.values(), Refusal]))


def commands(group: click.Group, path: str = "vfl") -> dict[str, click.Command]:
    """Return every command under a group by what is typed to call it."""
    context = click.Context(group)
    members = {f"{path} {name}": group.get_command(context, name) for name in group.list_commands(context)}
    return spread(members)


def spread(members: dict[str, click.Command]) -> dict[str, click.Command]:
    """Return commands with those under a group in its place."""
    found = {}
    for path, command in members.items():
        found |= commands(command, path) if isinstance(command, click.Group) else {path: command}
    return found


SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
ADDED = dict(re.findall(r"(\S+) = (\S+)", SETUP["options.entry_points"]["vfl.commands"]))
LOADED = {f"vfl {name}": EntryPoint(name, at, "").load() for name, at in ADDED.items()}
COMMANDS = commands(main) | spread(LOADED)


def row_of(message: type) -> str:
    """Return the row of the protocol's tables that is about a message."""
    rows = [line for line in PROTOCOL_PAGE.splitlines() if line.startswith(f"| `{message.__name__}` |")]
    assert len(rows) == 1, f"docs/protocol.md needs one row for {message.__name__}"
    return rows[0]


def fields_within(struct: type) -> set[str]:
    """Return the names of a message's fields and of the structures within them."""
    found = set()
    for field in msgspec.structs.fields(struct):
        found.add(field.name)
        annotated = get_args(field.type)  # a list of structures is Annotated[list[Split], Meta(...)]
        for part in get_args(annotated[0]) if annotated else ():
            found |= fields_within(part) if hasattr(part, "__struct_fields__") else set()
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_explained(command: str) -> None:
    """An option that no document mentions is one that nobody finds."""
    assert f"`{command}" in GUIDE, f"docs/commands.md does not explain {command}"
    section = re.search(rf"^## `{command}`$(.*?)(^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    assert section, f"docs/commands.md has no section '## `{command}`'"
    options = {
        option
        for parameter in COMMANDS[command].params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if option != "--help"
    }
    assert {option for option in options if f"`{option}" not in section[1]} == set()


def test_no_command_is_explained_that_does_not_exist() -> None:
    """A section about a command is about one that can be called."""
    assert set(re.findall(r"^## `(vfl [a-z -]+)`$", GUIDE, re.MULTILINE)) == set(COMMANDS)


def test_the_readmes_two_commands_are_run_as_they_stand() -> None:
    """The command that runs the main job and the one that passes the tests stand in .ci/run word for word."""
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    lines = re.findall(r"^python -m pip install .*$", README, re.MULTILINE)
    assert len(lines) == 2
    assert [line for line in lines if line not in run] == []


def test_the_tests_that_are_run_before_a_merge_exist() -> None:
    """A path that .ci/run gives to pytest is one of this repository."""
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert [path for path in re.findall(r"tests/[\w./]+", run) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(("package", "contract"), [("vfl", "library"), ("parties", "parties")])
def test_the_floors_that_are_explained_are_those_that_are_checked(package: str, contract: str) -> None:
    """CONTRIBUTING.md has a row for each floor of the import contracts, in their order."""
    layers = SETUP[f"importlinter:contract:{contract}"]["layers"].split("\n")
    table = CONTRIBUTING.partition(f"| floor of `{package}` |")[2].partition("\n\n")[0]
    rows = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in table.splitlines()[2:]]
    assert rows == [re.findall(r"\w+", layer) for layer in layers if layer]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
def test_every_message_has_a_row_that_names_its_fields_and_a_test(message: type) -> None:
    """For each message: who sends it, every field, what it reveals, and which test checks that."""
    row = row_of(message)
    sender = "label → feature" if message in PROTOCOL.replies else "feature → label"
    assert f"| {sender} |" in row
    assert {name for name in fields_within(message) if f"`{name}`" not in row} == set()
    assert re.search(r"`tests/\S+::test_\w+`", row)


@pytest.mark.parametrize("message", [*MESSAGES, Hello, Welcome], ids=lambda message: message.__name__)
def test_ledgers_say_what_the_protocol_says_is_revealed(message: type) -> None:
    """What ledgers say that a message reveals stands in its row, in the same words."""
    row = re.sub(r"\*\*|`", "", row_of(message))
    said = PROTOCOL.reveals[message.__name__]
    assert [part for part in said.split("; ") if part not in row] == []


def test_every_step_has_a_documented_request_and_reply() -> None:
    """No state accepts a message that the protocol does not explain, and each has an explained reply."""
    for request, reply in PROTOCOL.replies.items():
        row_of(request)
        row_of(reply)


def test_the_diagram_is_that_of_the_table_of_states() -> None:
    """The state diagram is generated; a change of the table without one of the document fails."""
    drawn = re.search(r"```mermaid\n(.*?)\n```", PROTOCOL_PAGE, re.DOTALL)
    assert drawn
    assert drawn[1] == PROTOCOL.diagram()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_cited_tests_exist(document: Path) -> None:
    """A test that a document cites is there, in the file it names."""
    for file, test in re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", document.read_text(encoding="utf-8")):
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{test}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(document: Path) -> None:
    """Every link to a file of this repository, and to a heading in it, resolves."""
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        name, _, heading = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        assert target.exists(), link
        if heading:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}
            assert heading in anchors, link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_modules_that_are_named_exist(document: Path) -> None:
    """A file of the repository that a document names is there, and so is a module that it runs."""
    text = document.read_text(encoding="utf-8")
    named = re.findall(
        r"`((?:vfl|parties|scenarios|data_generators|benchmarks|tests)/[\w/]*(?:\.\w+|/))`", text
    )
    modules = re.findall(r"python -m ((?:data_generators|benchmarks|tests)[\w.]*)", text)
    named += [module.replace(".", "/") for module in modules]
    assert [name for name in named if not any((ROOT / (name + end)).exists() for end in ("", ".py"))] == []


def test_every_limit_is_explained_with_its_default() -> None:
    """docs/commands.md has each limit of a peer, those that algorithms bring included, with its value."""
    row = next(line for line in GUIDE.splitlines() if line.startswith("| `[peers.NAME]`"))
    explained = dict(
        re.findall(r"`(\w+)` \((?:[^()]*; )?([\d,]+)\)", row.partition("[peers.NAME.limits]")[2])
    )
    limits = {name: value for name, value in Limits().by_name.items() if value is not None}
    assert {name: int(value.replace(",", "")) for name, value in explained.items()} == limits


def test_no_tracked_text_holds_a_path_of_somebodys_machine() -> None:
    """Nothing that is published tells where on a disk it was written."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    machine = re.compile(rb"(?<![\w.:/])/(home|root|work|Users|tmp)/\w")
    found = []
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        if path.is_file() and path != Path(__file__).resolve():
            found += [f"{name}: {match[0].decode()}" for match in machine.finditer(path.read_bytes())]
    assert found == []
