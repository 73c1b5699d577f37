"""Real files in the window, as napari opens them; the axes are corrected where the file does not say them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.conftest import SHARED

DATA = SHARED / "data"
FILES = (
    "layouts_no_gt/em_series",
    "layouts_no_gt/xy_rgb__cells.tif",
    "layouts_no_gt/xyc_16bit__nup_nuclei.tif",
    "layouts_no_gt/xyt_8bit_polyp.tif",
    "layouts_no_gt/xyz_8bit__chromosomes.tif",
    "layouts_no_gt/xyz_8bit__mitotic_plate_calibrated.tif",
    "layouts_no_gt/xyzc_16bit__spots.tif",
    "nuclei_2d_dsb2018/1d02c4b5_image.png",
    "cells_2d_phase_t98g/set45_image.tif",
    "nuclei_2dt_mitocheck/image.tif",
    "cells_2dt_c2c12_phase/image.tif",
    "nuclei_3d_gonuclear_1135/image.tif",
    "cells_3d_ovule_membrane/image.tif",
    "video_davis2016/car-shadow.mp4",
)


@pytest.mark.skipif(not DATA.exists(), reason="the shared images are not here")
@pytest.mark.parametrize("name", FILES)
def test_a_click_and_two_frames(new_viewer: Callable[[], Any], name: str) -> None:
    from napari_sam2 import open_image
    from tests.plugin.test_window import Desk

    path = DATA / name
    with open_image(path) as opened:
        letters = opened.axes.lower()
        pixels = np.asarray(opened.array[:16] if letters[0] in "tz" else opened.array)
    rgb = letters.endswith("c") and pixels.shape[-1] in (3, 4)
    shown = letters[:-1] if rgb else letters
    desk = Desk(new_viewer(), pixels, rgb=rgb, axis_labels=tuple(shown))
    bridge = desk.bridge
    assert bridge.axes.letters == opened.axes
    height, width = bridge.axes.plane
    start = bridge.axes.frames // 2
    bridge.show_frame(start)
    desk.visitor.rest(0.2)
    desk.visitor.click(desk.image, bridge.axes.position(start, height * 0.5, width * 0.5))
    desk.visitor.wait(lambda: 1 in bridge.session.objects and start in bridge.session.masks(1))
    (click,) = bridge.session.prompts(1)[start].clicks
    assert abs(click.y - height * 0.5) < height * 0.02 + 1
    assert abs(click.x - width * 0.5) < width * 0.02 + 1
    if bridge.axes.frames > 2:
        from napari_sam2.prompts import Direction

        bridge.propagate(Direction.FORWARD, None, start + 1)
        desk.visitor.wait(lambda: bridge.status.running)
        desk.settle()
        assert start + 1 in bridge.session.masks(1) or "jumps" in bridge.status.message
        assert bridge.status.along == opened.axes.replace("C", "").replace("Y", "").replace("X", "")[0]
