"""Several ways to compute the same thing, timed in turn; what came out as CSV and as a table."""

from __future__ import annotations

import csv
import platform
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_sam2.inference.heap import find_trim

Run = Callable[[], Any]
Case = Callable[[], Mapping[str, Run]]
"""Gives the runs to time by who computes, fresh every time."""

_TRIM = find_trim()
_STATUS, _REFERENCES = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True, slots=True)
class Timing:
    """One run.

    Attributes
    ----------
    case, who, repeat
        What was computed, by whom, and for the how many-th time.
    cpu_s, wall_s
        Seconds of the processor (of all threads), and on the clock.
    peak_mb
        Memory at the worst moment above what was held before, in MB; negative where the system does not tell.
    """

    case: str
    who: str
    repeat: int
    cpu_s: float
    wall_s: float
    peak_mb: float


def timed(case: str, who: str, repeat: int, run: Run) -> Timing:
    """Run once."""
    if _TRIM is not None:
        _TRIM(0)  # what earlier runs left in the heap would hide what this one takes
    held = _forget_peak()
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Timing(case, who, repeat, cpu, wall, _memory("VmHWM") - held if held >= 0 else -1.0)


def take_turns(name: str, case: Case, repeats: int, warm_up: bool) -> list[Timing]:
    """Time all of them, one after the other, again and again, so that what else goes on falls on all."""
    if warm_up:
        for run in case().values():
            run()
    turns = []
    for repeat in range(1, repeats + 1):
        for who, run in case().items():
            turns.append(timed(name, who, repeat, run))
            print(f"  {name}: {who} {turns[-1].cpu_s:.2f} s", flush=True)
    return turns


def processor() -> str:
    """Name the CPU and what of it matters here."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    found = re.search(r"model name\s*:\s*(.+)", text)
    name = found[1] if found else platform.processor() or platform.machine()
    known = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f" {flag} " in text]
    return f"{name} ({', '.join(known)})" if known else name


def write_csv(path: Path, machine: Mapping[str, Any], turns: list[Timing]) -> None:
    """Write every single run, with the machine in each row."""
    rows = [
        {
            **machine,
            "case": turn.case,
            "who": turn.who,
            "repeat": turn.repeat,
            "cpu_s": f"{turn.cpu_s:.4f}",
            "wall_s": f"{turn.wall_s:.4f}",
            "peak_mb": f"{turn.peak_mb:.0f}",
        }
        for turn in turns
    ]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _forget_peak() -> float:
    """Begin to watch for the peak anew; return what is held now in MB, or -1 where that cannot be told."""
    try:
        _REFERENCES.write_text("5")
        return _memory("VmRSS")
    except OSError:
        return -1.0


def _memory(what: str) -> float:
    found = re.search(rf"{what}:\s*(\d+) kB", _STATUS.read_text())
    return int(found[1]) / 1024 if found else -1.0
