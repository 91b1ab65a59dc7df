"""The page: whole in itself, with the numbers of the JSON, and nothing that a name could smuggle in."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import pytest

from parties.label.evaluation import AlertTerms, Evaluation, evaluation
from parties.label.evaluation_data import EvaluationData
from parties.report import page
from parties.storage.model_store import ModelRecord

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """What a page consists of: elements with attributes, and the cells of its tables by id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._open: list[str] = []
        self._cells: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self._open == [], "an element is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self._cells = self.tables.setdefault(str(dict(attrs)["id"]), [])
        elif tag == "tr":
            self._cells.append([])
        elif tag in ("td", "th"):
            self._cells[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("td", "th"):
            self._cells[-1][-1] += data


@pytest.fixture(scope="module")
def text(found: Evaluation, scored: EvaluationData, record: ModelRecord) -> str:
    return page.render(found, scored, record)


def test_nothing_comes_from_another_host(text: str) -> None:
    """No element loads or leads anywhere: every reference is to the page itself, and there is no script."""
    for tag, attributes in Page(text).elements:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base", "form", "img"), tag
        for name, value in attributes.items():
            if name in ("src", "href", "xlink:href", "action", "data", "srcset", "poster"):
                assert (value or "").startswith("#"), (tag, name, value)
            assert not name.startswith("on"), (tag, name)
    assert re.findall(r"@import|url\((?!#)", text) == []
    outside = set(re.findall(r"https?://[^\s\"'<)]+", text))
    assert outside <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_every_section_is_there(text: str) -> None:
    """Each section that is promised, and within it its plots, each with a title for who does not see it."""
    elements = Page(text).elements
    sections = [attributes["id"] for tag, attributes in elements if tag == "section"]
    assert sections == [
        "measures", "partners", "curves", "lift", "calibration", "money", "provenance",
    ]  # fmt: skip
    plots = [attributes["id"] for tag, attributes in elements if tag == "figure"]
    assert plots == [
        f"plot-{name}"
        for name in (
            "gain-roc_auc",
            "gain-pr_auc",
            "roc",
            "pr",
            "distribution",
            "lift",
            "calibration",
            "money",
        )
    ]
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in elements:
        if tag == "svg":
            assert (attributes["role"], attributes["aria-labelledby"] in ids) == ("img", True)
            assert "width" not in attributes
    assert '<html lang="en">' in text


def test_references_within_plots_lead_somewhere(text: str) -> None:
    """Ids of several plots do not get into each other's way."""
    ids = set(re.findall(r'\bid="([^"]+)"', text))
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text))
    assert {one or other for one, other in used} <= ids


def test_numbers_are_those_of_the_json(text: str, found: Evaluation) -> None:
    """Each cell of each table is the number of the JSON, to the digits shown."""
    told = msgspec.json.decode(msgspec.json.encode(found))
    tables = Page(text).tables
    measures = {line[0]: line[1:] for line in tables["table-measures"]}
    for place, view in enumerate(told["views"]):
        of = view["measures"]
        assert measures[""][place] == view["name"]
        expected = {
            "ROC-AUC": of["roc_auc"],
            "PR-AUC": of["pr_auc"],
            "KS": of["ks"],
            "precision at 4 alerts a day": of["precision_at_k"],
            "lift of the top tenth": of["lift"][0],
            "calibration error": of["calibration_error"],
            "Brier score": of["brier"],
            "money saved at 4 alerts a day": of["money_saved"],
            **{f"recall at {rate} FPR": value for rate, value in of["recall_at_fpr"].items()},
        }
        assert set(expected) == set(measures) - {""}
        for name, value in expected.items():
            assert_shown(measures[name][place], value)
    for line, gain in zip(tables["table-added"][1:], told["added"], strict=True):
        assert line[0] == gain["name"]
        for cells, measure in ((line[1:3], "roc_auc"), (line[3:5], "pr_auc")):
            assert_shown(cells[0], gain[measure]["difference"])
            for cell, limit in zip(cells[1].split(" to "), ("low", "high"), strict=True):
                assert_shown(cell, gain[measure][limit])
    for tenth, line in enumerate(tables["table-lift"][1:]):
        for cell, view in zip(line[1:], (told["views"][0], told["views"][-1]), strict=True):
            assert_shown(cell, view["measures"]["lift"][tenth])
    for line, part in zip(
        tables["table-calibration"][1:], told["views"][-1]["measures"]["calibration"], strict=True
    ):
        for cell, name in zip(line, ("weight", "predicted", "observed"), strict=True):
            assert_shown(cell, part[name])


def assert_shown(cell: str, value: float) -> None:
    digits = len(cell.partition(".")[2])
    assert float(cell.replace(",", "")) == pytest.approx(value, abs=0.5001 * 10**-digits)


def test_names_are_text_whatever_they_are(bare: EvaluationData, record: ModelRecord) -> None:
    """A name that looks like markup is shown, not run, in the text and in the plots."""
    found = evaluation(bare, AlertTerms())
    text = page.render(found, bare, record)
    assert "<script" not in text
    assert "&lt;script src=//evil.example&gt;" in text
    assert [attributes["id"] for tag, attributes in Page(text).elements if tag == "section"] == [
        "measures", "partners", "curves", "lift", "provenance",
    ]  # fmt: skip


def test_provenance_names_what_was_judged_and_no_place_or_person(text: str) -> None:
    """Model, dates, rows, parties and versions; no path."""
    for told in ("m1, trained 2026-01-31", "6,000 rows, 10 trees", "telco, shop", "1,500 rows", "vfl "):
        assert told in text
    assert re.findall(r"/(?:home|root|work|tmp|Users)/", text) == []


def test_colours_follow_the_page(text: str) -> None:
    """No plot has a colour of its own, so dark mode reaches all of them."""
    plots = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert re.findall(r"#[0-9a-f]{6}\b", plots) == []
    assert "var(--series-1)" in plots
