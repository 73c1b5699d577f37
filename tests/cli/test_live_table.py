"""What is under way, on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from napari_sam2.batch.outcome import Note, Outcome, Status
from napari_sam2.cli.live_table import ROWS, LiveTable


def shown(table: LiveTable) -> str:
    console = Console(width=120, file=io.StringIO())
    console.print(table._table())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_rows(capsys: pytest.CaptureFixture[str]) -> None:
    table = LiveTable(40)
    with table:
        for number in range(ROWS + 3):
            table.note(Note(f"movie{number}", 0, 3, 10, "here:1"))
        table.note(Note("movie0", 1, 4, 10, "here:2"))
        table.note(Note("movie1", 0, 10, 10, "here:1"))
        text = shown(table)
        assert "0 of 40 sequences, 0 failed" in text
        assert "7/20" in text
        assert "... and 2 more" in text
        table.end(Outcome("movie0", "a", "b", Status.DONE, frames=10, objects=1))
        table.end(Outcome("movie2", "a", "b", Status.FAILED, message="is\nempty"))
        text = shown(table)
    assert "2 of 40 sequences, 1 failed" in text
    assert "empty" in text
    said = capsys.readouterr().err.splitlines()
    assert said == ["[1/40] movie0: done, 1 object, 10 frames, 0.0 s", "[2/40] movie2: failed. is empty"]
