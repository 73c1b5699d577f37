"""Resident memory of a long run, as a markdown table: it must be flat after the first hundred frames.

Frames are made when they are read, so that nothing but the tracker can grow.

    python tests/bench/memory_flat.py --frames 2000
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import resource
import sys
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np

from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.policy import TrackingPolicy
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.io.checkpoints import load_model
from napari_sam2.model.sam2 import SAM2
from napari_sam2.prompts import Click

MEBIBYTE = 2**20


class DriftingDiscs:
    """Three bright discs that drift over noise; every frame is made anew from its number."""

    def __init__(self, count: int, side: int) -> None:
        self.shape = (count, side, side)
        self.grid = np.mgrid[:side, :side].astype(np.float32)

    def __len__(self) -> int:
        return self.shape[0]

    def centers(self, index: int) -> list[tuple[float, float]]:
        side, turn = self.shape[1], 2 * np.pi * index / 200
        return [
            (side * (0.5 + 0.3 * np.sin(turn + phase)), side * (0.5 + 0.3 * np.cos(turn + phase)))
            for phase in (0, 2.1, 4.2)
        ]

    def __getitem__(self, index: int) -> np.ndarray:
        frame = np.random.default_rng(index).integers(100, 140, self.shape[1:])
        for y, x in self.centers(index):
            frame[(self.grid[0] - y) ** 2 + (self.grid[1] - x) ** 2 < (self.shape[1] / 14) ** 2] += 300
        return frame.astype(np.uint16)


def resident_bytes() -> int:
    """Memory of this process now; where the system does not tell, the most it has ever been."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


HEAP = (
    "arena",
    "ordblks",
    "smblks",
    "hblks",
    "hblkhd",
    "usmblks",
    "fsmblks",
    "uordblks",
    "fordblks",
    "keepcost",
)


class _MallInfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in HEAP]


def held_bytes() -> int | None:
    """What the program holds of the heap, without the holes that the C library keeps; None outside glibc."""
    try:
        ask = ctypes.CDLL("libc.so.6").mallinfo2
    except (OSError, AttributeError):
        return None
    ask.restype = _MallInfo
    info = ask()
    return int(info.uordblks + info.hblkhd)


def at_size(name: str, size: int) -> SAM2:
    """The same weights at another working size."""
    stored = load_model(name)
    model = SAM2(replace(stored.config, image_size=size))
    model.load_official(stored.to_official())
    return model.eval().requires_grad_(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--side", type=int, default=256, help="pixels of a frame")
    parser.add_argument("--state-mib", type=float, default=4, help="budget for what is remembered")
    parser.add_argument("--embedding-mib", type=float, default=4, help="budget for encoded frames")
    parser.add_argument("--every", type=int, default=100, help="frames a row")
    parser.add_argument("--model", default="nano", help="name or file")
    parser.add_argument("--size", type=int, default=512, help="working size: a smaller one is sooner done")
    options = parser.parse_args()

    model = at_size(options.model, options.size)
    policy = TrackingPolicy(
        state_bytes=int(options.state_mib * MEBIBYTE), embedding_bytes=int(options.embedding_mib * MEBIBYTE)
    )
    frames = DriftingDiscs(options.frames, options.side)
    tracker = VideoTracker(model, policy)
    state = tracker.start(frames, IntensityMap.window(100, 440))
    for object_id, (y, x) in enumerate(frames.centers(0), 1):
        tracker.prompt(state, 0, object_id, clicks=[Click(float(y), float(x))])
    print(
        f"{options.frames} frames of {options.side} x {options.side}, 3 objects, "
        f"{options.model} at {options.size} px, state budget {options.state_mib:g} MiB\n"
    )
    print("| frame | resident MiB | held MiB | masks MiB | remembered MiB, in memory | on disk | seconds |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    began = perf_counter()
    seen: dict[int, int] = {}
    for result in tracker.propagate(state):
        if result.frame % options.every == 0 or result.frame == options.frames - 1:
            gc.collect()
            seen[result.frame] = resident_bytes()
            records = state.records
            masklets = [track.masklet.masks.values() for track in state.objects.values()]
            masks = sum(mask.counts.nbytes for kept in masklets for mask in kept)
            held = held_bytes()
            print(
                f"| {result.frame} | {seen[result.frame] / MEBIBYTE:.1f} "
                f"| {'' if held is None else f'{held / MEBIBYTE:.1f}'} | {masks / MEBIBYTE:.2f} "
                f"| {records.resident_bytes / MEBIBYTE:.1f} | {records.spilled_bytes / MEBIBYTE:.1f} "
                f"| {perf_counter() - began:.0f} |",
                flush=True,
            )
    late = [size for frame, size in seen.items() if frame >= 100]
    if len(late) > 1:
        grown = (late[-1] - late[0]) / MEBIBYTE
        print(f"\nFrom frame 100 to the end: {grown:+.1f} MiB.")


if __name__ == "__main__":
    main()
