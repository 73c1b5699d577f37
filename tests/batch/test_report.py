"""The page stands alone, and says what went wrong."""

from __future__ import annotations

import base64
import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_sam2.batch.outcome import Outcome, Status
from napari_sam2.batch.plan import Plan
from napari_sam2.batch.report import summary, write_report
from tests.batch.conftest import LENGTH, Folder, run_here, table_plan


class Page(HTMLParser):
    """Rows of the table, and everything that a browser would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.fetched: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


@pytest.fixture
def plan(folder: Folder, weights: Path) -> Plan:
    root = folder(3)
    (root / "movie01.tif").write_bytes(b"")
    return table_plan(root, weights)


def test_page(plan: Plan) -> None:
    outcomes = run_here(plan)
    text = write_report(plan, outcomes).read_text(encoding="utf-8")
    page = Page(text)
    assert "3 sequences: 2 done, 1 failed; 12 frames" in text
    head, failed, *done = page.rows
    assert head[:2] == ["result", "status"]
    assert failed[0].startswith("movie01.tif") and "empty" in failed[0] and failed[1] == "failed"
    assert [row[0].split("/")[0] for row in done] == ["movie00.tif", "movie02.tif"]
    assert [row[4:6] for row in done] == [[str(LENGTH), "2"]] * 2
    assert len(page.fetched) == 2
    for source in page.fetched:
        kind, data = source.split(",")
        assert kind == "data:image/png;base64"
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
        assert picture.shape == (64, 3 * 72 + 4, 3)
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
    assert not re.search(r"https?://|<script", text)


def test_table(plan: Plan) -> None:
    outcomes = run_here(plan)
    write_report(plan, outcomes)
    with (plan.folder / "report.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["done", "failed", "done"]
    assert [int(row["computed"]) for row in rows] == [one.computed for one in outcomes]
    write_report(plan, run_here(plan))
    with (plan.folder / "report.csv").open(newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["done before", "failed", "done before"]


def test_names_and_messages_are_text(plan: Plan) -> None:
    outcome = Outcome(
        "movie00.tif", "<b>bold</b>.tif", "x", Status.FAILED, message='<img src="https://else.where/a.png">'
    )
    others = (replace(outcome, name=name) for name in ("movie01.tif", "movie02.tif"))
    page = Page(write_report(plan, (outcome, *others)).read_text(encoding="utf-8"))
    assert page.fetched == []
    assert "<b>bold</b>.tif" in page.rows[1][0]


def test_summary_counts() -> None:
    done = Outcome("a", "a", "a", Status.DONE, frames=3)
    assert summary([done]) == "1 sequence: 1 done; 3 frames"
    assert summary([]) == "0 sequences: ; 0 frames"


def test_outcomes_on_disk(tmp_path: Path) -> None:
    outcome = Outcome("a", "b", "c", Status.DONE, 1.5, 3, 2, 0.5, 4, 4, 8, "here:1")
    outcome.write(tmp_path / "done.json", "abc")
    assert Outcome.read(tmp_path / "done.json", "abc") == outcome
    assert Outcome.read(tmp_path / "done.json", "other") is None
    (tmp_path / "done.json").write_text('{"fingerprint": "abc"}')
    assert Outcome.read(tmp_path / "done.json", "abc") is None
    assert Outcome.read(tmp_path / "none.json", "abc") is None
