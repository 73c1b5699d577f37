"""What a batch is doing: a table on a terminal that changes, and lines where there is none."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Any, Self

import typer

from napari_sam2.batch.outcome import Note, Outcome, Status

ROWS = 16


class LiveTable:
    """Shows which sequences are under way, and how many are left.

    Parameters
    ----------
    total
        Sequences in the plan.
    """

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.live import Live

        self._total = total
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._notes: dict[str, dict[int, Note]] = {}
        self._ended: list[Outcome] = []
        console = Console(stderr=True)
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=4)
        self._shown = console.is_terminal

    def __enter__(self) -> Self:
        if self._shown:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            self._live.stop()

    def note(self, note: Note) -> None:
        """Take in where a part of a sequence is; any thread may tell."""
        with self._lock:
            self._notes.setdefault(note.name, {})[note.part] = note

    def end(self, outcome: Outcome) -> None:
        """Take in that a sequence has ended."""
        with self._lock:
            self._notes.pop(outcome.name, None)
            self._ended.append(outcome)
            count = len(self._ended)
        if not self._shown:
            typer.echo(f"[{count}/{self._total}] {line_of(outcome)}", err=True)

    def _table(self) -> Any:
        from rich.table import Table

        with self._lock:
            notes = {name: list(parts.values()) for name, parts in self._notes.items()}
            ended = list(self._ended)
        failed = [one for one in ended if one.status is Status.FAILED]
        passed = time.monotonic() - self._began
        table = Table(
            title=f"{len(ended)} of {self._total} sequences, {len(failed)} failed, {passed:.0f} s",
            title_justify="left",
            expand=True,
        )
        for head in ("result", "status", "frames", "worker"):
            table.add_column(head, overflow="fold")
        running = [
            (name, parts)
            for name, parts in notes.items()
            if sum(p.done for p in parts) < sum(p.total for p in parts)
        ]
        for name, parts in running[:ROWS]:
            done, total = sum(p.done for p in parts), sum(p.total for p in parts)
            table.add_row(name, Status.RUNNING.value, f"{done}/{total}", parts[-1].worker)
        if len(running) > ROWS:
            table.add_row(f"... and {len(running) - ROWS} more", Status.RUNNING.value)
        for one in [*failed[-ROWS // 2 :], *(e for e in ended[-4:] if e.status is not Status.FAILED)]:
            table.add_row(one.name, one.status.value, one.message or str(one.frames), one.worker)
        return table


def line_of(outcome: Outcome) -> str:
    """Return what became of a sequence, in a line."""
    if outcome.status is Status.FAILED:
        return f"{outcome.name}: failed. {' '.join(outcome.message.split())}"
    objects = f"{outcome.objects} object{'s' * (outcome.objects != 1)}"
    return (
        f"{outcome.name}: {outcome.status.value}, {objects}, {outcome.frames} frames, {outcome.seconds:.1f} s"
    )
