"""party.toml: what a right one means, and that every mistake of a wrong one is told at once."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from parties import config as configuration
from parties.config import Config
from parties.config.settings import Peer
from vfl.errors import ConfigError

LABEL: dict[str, Any] = {
    "party": {"name": "bank", "role": "label"},
    "data": {
        "source": "bank.csv",
        "keys": {"customer_id": "ID"},
        "recipe": ["customer_id: strip upper"],
        "label": "default",
    },
    "model": {"max_depth": 4},
    "peers": {"bureau": {"url": "https://host:8443/", "fingerprint": "AB:" * 31 + "ab"}},
}
FEATURE: dict[str, Any] = {
    "party": {"name": "bureau", "role": "feature"},
    "data": {key: LABEL["data"][key] for key in ("source", "keys", "recipe")},
    "peers": {"bank": {"fingerprint": "c" * 64, "allow": ["align"], "limits": {"max_trees": 5}}},
}


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return the document with one key set, or removed where the value is None."""
    document = copy.deepcopy(document)
    *tables, key = path.split(".")
    table = document
    for name in tables:
        table = table.setdefault(name, {})
    if value is None:
        del table[key]
    else:
        table[key] = value
    return document


def parse(document: dict[str, Any]) -> Config:
    return configuration.parse(document, Path("/party"))


def test_a_right_file_is_understood() -> None:
    """Given keys, defaults and normal forms come out as documented; what is silent is not allowed."""
    config = parse(LABEL)
    assert config.model.max_depth == 4
    assert config.crypto.key_bits == 2048
    assert config.peers["bureau"] == Peer(fingerprint="ab" * 32, url="https://host:8443")
    assert config.peers["bureau"].allow == []
    assert config.path("tls/key.pem") == Path("/party/tls/key.pem")
    assert parse(FEATURE).peers["bank"].limits.value("max_trees") == 5


@pytest.mark.parametrize(
    ("document", "path", "value", "told"),
    [
        (LABEL, "party", None, "[party]: missing"),
        (LABEL, "partie", {}, "partie: unknown section; did you mean party?"),
        (LABEL, "party.nam", "x", "party.nam: unknown key; did you mean name?"),
        (LABEL, "party.name", None, "party.name: missing; write up to 64 letters"),
        (LABEL, "party.name", "../x", "party.name: it is not of the form"),
        (LABEL, "party.role", "both", 'party.role: invalid enum value \'both\'; write "label" or "feature"'),
        (LABEL, "data", 3, "data: expected a table"),
        (LABEL, "data.keys", {}, "data.keys: expected `object` of length >= 1"),
        (LABEL, "data.recipe", ["customer_id: uper"], "data.recipe: unknown step 'uper'"),
        (LABEL, "data.recipe", ["phone: digits"], "data.recipe: it has fields ['phone']"),
        (LABEL, "data.on_empty", "ignore", "data.on_empty: invalid enum value 'ignore'; write \"refuse\""),
        (LABEL, "data.label", None, "data.label: missing; a label party names its label column"),
        (LABEL, "data.label", "ID", "data.label: ID is also a key"),
        (LABEL, "data.source", "sqlite:///x.db", "data.table: missing; a database source needs"),
        (LABEL, "data.exclude", "age", "data.exclude: expected `array`, got `str`; write a list of column"),
        (LABEL, "crypto.key_bits", 1024, "crypto.key_bits: expected `int` >= 2048; write 2048 or 3072"),
        (LABEL, "model.max_dept", 3, "model.max_dept: unknown parameter; did you mean max_depth?"),
        (LABEL, "model.max_depth", 99, "model: Parameters outside their range: max_depth=99"),
        (LABEL, "peers.bureau.url", "http://x", "peers.bureau.url: a label party needs it"),
        (LABEL, "peers.bureau.allow", ["align"], "peers.bureau.allow: a label party answers no requests"),
        (LABEL, "peers.bureau.fingerprint", "12", "peers.bureau.fingerprint: it is not of the form"),
        (LABEL, "peers.bank", LABEL["peers"]["bureau"], "peers.bank: this is the party's own name"),
        (LABEL, "peers.b2", LABEL["peers"]["bureau"], "peers.b2.fingerprint: the same as that of bureau"),
        (LABEL, "data.day", "default", "data.day: default is also a key, the label or the weight"),
        (LABEL, "data.groups", {"a": ["age"]}, "data.groups: only a feature party groups its columns"),
        (FEATURE, "data.groups", {"a": ["x"], "b": ["x"]}, "data.groups: x is there twice"),
        (FEATURE, "data.groups", {"a": ["ID"]}, "data.groups: ID is no feature column"),
        (FEATURE, "data.groups", {"a": "x"}, "data.groups: expected `array`"),
        (FEATURE, "peers.bank.reasons", "all", "peers.bank.reasons: invalid enum value 'all'; write"),
        (FEATURE, "data.label", "default", "data.label: a feature party has none"),
        (FEATURE, "data.amount", "cost", "data.amount: a feature party has none"),
        (FEATURE, "model.max_depth", 3, "model: only the label party chooses parameters"),
        (FEATURE, "server.port", 70_000, "server.port: expected `int` <= 65535; write a port"),
        (FEATURE, "peers.bank.allow", ["trian"], "peers.bank.allow: invalid enum value 'trian'"),
        (FEATURE, "peers.bank.limits.max_tree", 3, "peers.bank.limits.max_tree: unknown key; did you mean"),
        (
            FEATURE,
            "peers.bank.limits.max_trees",
            "5",
            "peers.bank.limits.max_trees: expected a whole number",
        ),
        (FEATURE, "peers.b/k", FEATURE["peers"]["bank"], "peers.b/k: not a name"),
    ],
)
def test_each_mistake_is_told_with_its_remedy(
    document: dict[str, Any], path: str, value: Any, told: str
) -> None:
    """A mistake is a line with the key, what is wrong, and what to write instead."""
    with pytest.raises(ConfigError) as caught:
        parse(changed(document, path, value))
    assert f"\n  {told}" in str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    """Mistakes in several sections, keys and peers come in one error that names the file."""
    document = changed(FEATURE, "server.port", "x")
    document = changed(document, "server.hots", "x")
    document = changed(document, "data.label", "y")
    document = changed(document, "peers.bank.allow", ["all"])
    document = changed(document, "peers.other", {})
    with pytest.raises(ConfigError) as caught:
        parse(document)
    lines = str(caught.value).splitlines()
    assert lines[0] == "/party/party.toml has 5 mistake(s):"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "server.hots",
        "server.port",
        "peers.bank.allow",
        "peers.other.fingerprint",
        "data.label",
    ]


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    """A missing file names the command that makes it; broken TOML names the line."""
    with pytest.raises(ConfigError, match="vfl party init"):
        configuration.load(tmp_path)
    (tmp_path / "party.toml").write_text("[party\n")
    with pytest.raises(ConfigError, match="line 1"):
        configuration.load(tmp_path)
