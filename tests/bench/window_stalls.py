"""How long the window stands still while objects are followed, and what the window costs the worker.

Twenty nuclei through sixty frames with the embedded model. `inline` runs the propagation in the main thread
without a window; `worker` in the worker's thread without a window; the others in a real window whose main
thread meanwhile does nothing, scrolls through the frames, or paints; `apart` propagates in a process
of its own beside a window that scrolls: what is lost to sharing the cores alone. A timer in the main thread
should fire every 5 ms; a stall is by how much it comes late.

    xvfb-run -a python tests/bench/window_stalls.py [--objects 20] [--frames 60] [--rounds 2]
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np

from napari_sam2 import Click, Session
from napari_sam2.imaging.phantoms import Phantom, moving_nuclei
from napari_sam2.session.worker import Worker

TICK = 0.005
MODES = ("inline", "worker", "idle", "scrolling", "painting", "apart")


def prompts(scene: Phantom) -> Iterator[tuple[int, Click]]:
    for label in np.unique(scene.labels[0])[1:].tolist():
        rows, columns = np.nonzero(scene.labels[0] == label)
        middle = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
        yield int(label), Click(float(rows[middle]), float(columns[middle]))


def prompted(scene: Phantom, session: Session) -> None:
    for label, click in prompts(scene):
        session.prompt(0, label, clicks=[click])


def inline(scene: Phantom) -> float:
    session = Session(scene.images)
    prompted(scene, session)
    began = time.perf_counter()
    for _ in session.propagate():
        pass
    return time.perf_counter() - began


def worker(scene: Phantom) -> float:
    session = Session(scene.images)
    prompted(scene, session)
    with Worker(session) as thread:
        began = time.perf_counter()
        thread.propagate().future.result()
        return time.perf_counter() - began


class Window:
    """A viewer with the dock, and the stalls of its main thread."""

    def __init__(self, scene: Phantom) -> None:
        import napari
        from qtpy.QtCore import Qt, QTimer

        from napari_sam2.plugin.attach import bridge_of
        from napari_sam2.plugin.segment_dock import SegmentDock

        self.viewer = napari.Viewer()
        self.viewer.add_image(scene.images, name="nuclei")
        self.viewer.dims.set_current_step(0, 0)
        self.bridge = bridge_of(self.viewer)
        self.viewer.window.add_dock_widget(SegmentDock(self.viewer), name="SAM 2")
        self.stalls: list[float] = []
        self._last: float | None = None
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self.wait(lambda: self.bridge.session is not None)
        for label, click in prompts(scene):
            self.bridge.do(
                lambda session, label=label, click=click: session.prompt(0, label, [click]), "click"
            )
        self.wait(lambda: len(self.bridge.session.objects) == len(np.unique(scene.labels[0])) - 1)
        self.wait(lambda: False, 1.0)

    def wait(self, done: Callable[[], bool], seconds: float = 600) -> None:
        from qtpy.QtWidgets import QApplication

        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            QApplication.processEvents()
            time.sleep(0.0005)

    def _tick(self) -> None:
        now = time.perf_counter()
        if self._last is not None:
            self.stalls.append(max(0.0, now - self._last - TICK))
        self._last = now

    def run(self, mode: str) -> float:
        from qtpy.QtCore import QTimer

        from napari_sam2.prompts import Direction

        busy = QTimer()
        if mode == "scrolling":
            busy.timeout.connect(self.scroll)
            busy.start(50)
        elif mode == "painting":
            layer = self.bridge.sitting.label_layer.layer
            layer.mode = "paint"
            layer.brush_size = 8
            self._stroke = 0
            busy.timeout.connect(self._paint)
            busy.start(50)
        self._timer.start(int(TICK * 1000))
        began = time.perf_counter()
        self.bridge.propagate(Direction.FORWARD)
        self.wait(lambda: not self.bridge.status.running)
        seconds = time.perf_counter() - began
        self._timer.stop()
        busy.stop()
        return seconds

    def scroll(self) -> None:
        """Go one frame on, and from the last to the first."""
        dims = self.viewer.dims
        dims.set_current_step(0, (dims.current_step[0] + 1) % int(dims.nsteps[0]))

    def _paint(self) -> None:
        """Draw with the brush, as a moving mouse does; the pixels belong to a label of their own."""
        layer = self.bridge.sitting.label_layer.layer
        self._stroke += 1
        height, width = layer.data.shape[-2:]
        where = (self.viewer.dims.current_step[0], 5 + self._stroke * 3 % (height - 10), width - 6)
        layer.selected_label = 60_000
        with layer.block_history():
            layer.paint(where, 60_000)

    def close(self) -> None:
        self.viewer.close()
        self.wait(lambda: False, 0.5)


def apart(scene: Phantom, given: argparse.Namespace) -> float:
    """Propagate in another process while a window scrolls through the same images."""
    from qtpy.QtCore import QTimer

    window = Window(scene)
    scroll = QTimer()
    scroll.timeout.connect(window.scroll)
    scroll.start(50)
    sizes = ["--objects", str(given.objects), "--frames", str(given.frames), "--size", str(given.size)]
    command = [sys.executable, __file__, "--modes", "inline", *sizes]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        window.wait(lambda: process.poll() is not None)
        assert process.stdout is not None
        table = process.stdout.read()
    scroll.stop()
    window.close()
    return float(re.findall(r"\| inline \| ([\d.]+)", table)[0])


def in_window(scene: Phantom, mode: str) -> tuple[float, list[float]]:
    window = Window(scene)
    seconds = window.run(mode)
    window.close()
    return seconds, window.stalls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--objects", type=int, default=20)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=1, help="the modes take turns so many times")
    parser.add_argument("--modes", nargs="*", default=MODES, choices=MODES)
    given = parser.parse_args()
    os.environ["NAPARI_SAM2_CACHE"] = tempfile.mkdtemp()
    scene = moving_nuclei(
        given.frames,
        given.size,
        given.size,
        objects=given.objects,
        divisions=0,
        radius=given.size / 28,
        seed=3,
    )
    inline(moving_nuclei(3, given.size, given.size, objects=2, divisions=0, seed=3))  # loads and warms up
    seconds: dict[str, list[float]] = {mode: [] for mode in given.modes}
    stalls: dict[str, list[float]] = {mode: [] for mode in given.modes}
    for _ in range(given.rounds):
        for mode in given.modes:
            if mode in ("inline", "worker"):
                seconds[mode].append((inline if mode == "inline" else worker)(scene))
            elif mode == "apart":
                seconds[mode].append(apart(scene, given))
            else:
                took, late = in_window(scene, mode)
                seconds[mode].append(took)
                stalls[mode] += late
    first = min(seconds.get("inline", [float("nan")]))
    print(
        f"{len(np.unique(scene.labels[0])) - 1} objects, {given.frames} frames of {given.size} px, "
        f"{len(os.sched_getaffinity(0))} cores, best of {given.rounds}"
    )
    print("| main thread | seconds | against inline | stalls, median ms | 99 % ms | longest ms |")
    print("|---|---:|---:|---:|---:|---:|")
    for mode in given.modes:
        late = np.array(stalls[mode]) * 1000
        columns = ["", "", ""] if not late.size else [f"{np.percentile(late, q):.0f}" for q in (50, 99, 100)]
        best = min(seconds[mode])
        print(f"| {mode} | {best:.1f} | {best / first:.2f} | {' | '.join(columns)} |")


if __name__ == "__main__":
    main()
