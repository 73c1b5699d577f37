"""Kill the window again and again while it follows objects; the session comes back and ends the same.

A child opens the window, takes the earlier session up if there is one, otherwise clicks five nuclei, and
follows them. It is killed (SIGKILL) at a random moment; the next child goes on. What the last one ends with
is compared with an unbroken run.

    xvfb-run -a python tests/bench/killed.py [--kills 20]
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from napari_sam2.imaging.phantoms import moving_nuclei

SCENE = moving_nuclei(frames=40, height=128, width=128, objects=5, divisions=0, radius=9.0, seed=7)


def child(target: Path) -> None:
    """Follow to the end, saying when it begins, and write the labels that the window shows."""
    import napari

    from napari_sam2.plugin.attach import bridge_of
    from tests.plugin.visitor import Visitor

    viewer = napari.Viewer()
    image = viewer.add_image(SCENE.images, name="nuclei")
    viewer.dims.set_current_step(0, 0)
    bridge, visitor = bridge_of(viewer), Visitor(viewer)
    visitor.wait(lambda: bridge.session is not None)
    visitor.rest(0.2)
    back = bridge.status.restorable
    if back:
        bridge.restore()
        visitor.wait(lambda: bridge.session is not None and bool(bridge.session.steps))
        visitor.rest(0.2)
    for label in np.unique(SCENE.labels[0])[1:].tolist():
        if label in bridge.session.objects:
            continue
        bridge.choose_object(label)
        places = np.argwhere(SCENE.labels[0] == label)
        middle = places[np.argmin(((places - places.mean(0)) ** 2).sum(1))]
        visitor.click(image, (0, *middle))
        visitor.wait(lambda label=label: label in bridge.session.objects)
        visitor.rest(0.1)
    followed = max((len(bridge.session.masks(key)) for key in bridge.session.objects), default=0)
    print("begins", followed if back else 0, flush=True)
    if followed < len(SCENE.images):
        visitor.press("Shift-R" if bridge.status.unfinished else "G")
        visitor.wait(lambda: bridge.status.running)
        visitor.wait(lambda: not bridge.status.running, 600)
    visitor.rest(0.5)
    np.save(target, np.asarray(bridge.sitting.label_layer.layer.data))
    print("done", flush=True)
    os._exit(0)


def run(cache: Path, target: Path, seconds: float | None) -> tuple[bool, int]:
    """Start a child and kill it so long after it begins; return whether, and where it began."""
    environment = {**os.environ, "NAPARI_SAM2_CACHE": str(cache)}
    command = [sys.executable, __file__, "--child", str(target)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        begins = next((line for line in process.stdout if line.startswith("begins")), None)
        if begins is None:
            raise RuntimeError("the window did not come up")
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return True, int(begins.split()[1])
    return False, int(begins.split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=4.0, help="seconds before a kill, at the most")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        child(given.child)
        return
    chance, folder = random.Random(given.seed), Path(tempfile.mkdtemp())
    whole = folder / "whole.npy"
    run(folder / "whole", whole, None)
    wanted = np.load(whole)
    kills = rounds = 0
    while kills < given.kills:
        rounds += 1
        target, cache, reached = folder / f"{rounds}.npy", folder / f"cache{rounds}", []
        while True:
            patience = chance.uniform(0.05, given.longest) if kills < given.kills else None
            killed, start = run(cache, target, patience)
            reached.append(start)
            if not killed:
                break
            kills += 1
        same = bool(np.array_equal(np.load(target), wanted))
        print(f"round {rounds}: began at frames {reached}, ends with the same labels: {same}", flush=True)
        assert same
    print(f"{kills} kills in {rounds} rounds; labels equal an unbroken run's each time")


if __name__ == "__main__":
    main()
