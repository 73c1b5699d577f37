"""The pictures of the tour through the window, taken from the running program.

xvfb-run -a -s "-screen 0 1400x900x24" python tests/bench/tour.py docs/start/window
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import napari
import numpy as np
from PIL import Image

from napari_sam2.imaging.phantoms import moving_nuclei
from tests.plugin.visitor import Visitor

WIDTH = 1100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["NAPARI_SAM2_CACHE"] = tempfile.mkdtemp()
    from napari.settings import get_settings

    get_settings().appearance.theme = "dark"
    viewer = napari.Viewer()
    viewer.window.resize(1400, 880)
    visitor = Visitor(viewer)
    viewer.open_sample("napari-sam2", "dividing_nuclei")
    truth = moving_nuclei(frames=30, height=256, width=256, objects=12, divisions=2, seed=0).labels
    viewer.dims.set_current_step(0, 0)
    _, dock = viewer.window.add_plugin_dock_widget("napari-sam2", "SAM 2")
    bridge = dock.bridge
    visitor.wait(lambda: bridge.session is not None)
    visitor.rest(1)

    def picture(name: str) -> None:
        path = Path(tempfile.mkdtemp()) / "window.png"
        visitor.picture(path)
        with Image.open(path) as whole:
            small = whole.convert("RGB").resize((WIDTH, whole.height * WIDTH // whole.width), Image.LANCZOS)
            small.save(folder / f"{name}.jpg", quality=82)

    def click(frame: int, label: int, modifiers: str = "") -> None:
        places = np.argwhere(truth[frame] == label)
        middle = places[np.argmin(((places - places.mean(0)) ** 2).sum(1))]
        before = len(bridge.session.steps)
        visitor.click(bridge.image, (frame, *middle), modifiers)
        visitor.wait(lambda: len(bridge.session.steps) > before)

    picture("1-open")
    click(0, 1)
    picture("2-click")
    for label in (2, 3, 5):
        visitor.press("N")
        click(0, label)
    visitor.press("G")
    visitor.wait(lambda: bridge.status.done >= 12)
    picture("3-follow")
    visitor.wait(lambda: not bridge.status.running)
    visitor.press("W")
    visitor.rest(1.5)
    picture("4-review")
    frame, mother = bridge.status.frame, bridge.status.object_id
    pieces = [label for label in np.unique(truth[frame]) if label and (truth[frame] == label).sum()]
    inside = bridge.session.masks(mother)[frame].runs.decode()
    daughters = [label for label in pieces if inside[truth[frame] == label].mean() > 0.3]
    visitor.press("Shift-D")
    visitor.wait(lambda: len(bridge.session.lineage) == 2)
    for label in daughters[:2]:
        click(frame, label)
        visitor.press("N")
    visitor.press("G")
    visitor.wait(lambda: bridge.status.running)
    visitor.wait(lambda: not bridge.status.running)
    visitor.rest(1.5)
    picture("5-divided")
    viewer.close()
    visitor.rest(0.5)


if __name__ == "__main__":
    main()
