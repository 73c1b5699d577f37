"""The table in the documentation is made from the CSV beside it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bench.tables import BEGIN, END, put_between, tables

EXPLAIN = Path(__file__).parents[3] / "docs" / "explain"
MACHINE = {"model": "m", "image_size": "64", "cpu": "c", "threads": "1", "torch": "2", "transformers": "5"}


def row(case: str, who: str, cpu: float, peak: float = 10.0) -> dict[str, str]:
    return {**MACHINE, "date": "d", "case": case, "who": who, "cpu_s": str(cpu), "peak_mb": str(peak)}


def test_the_best_repeat_counts_and_is_compared_with_theirs() -> None:
    rows = [
        row("frame", "ours float32", 2.0),
        row("frame", "transformers float32", 6.0, peak=40.4),
        row("frame", "ours float32", 1.5, peak=12.0),
        row("frame", "transformers float32", 4.5),
        row("encoder", "ours float32", 3.0, peak=-1.0),
    ]
    lines = tables(rows).splitlines()
    assert "| frame | 1.50 (**3.00**) | 4.50 |" in lines
    assert "| encoder | 3.00 |  |" in lines
    assert "| frame | 10 | 10 |" in lines
    assert sum(line.startswith("| encoder |") for line in lines) == 1  # nothing is known of its memory


def test_only_what_lies_between_the_marks_changes() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = put_between(page, "new")
    assert once == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert put_between(once, "new") == once
    with pytest.raises(SystemExit, match="needs the two lines"):
        put_between("no marks", "new")


def test_the_page_shows_what_was_measured() -> None:
    with (EXPLAIN / "speed.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    page = (EXPLAIN / "speed.md").read_text(encoding="utf-8")
    assert put_between(page, tables(rows)) == page
