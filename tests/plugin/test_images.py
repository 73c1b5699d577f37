"""Any image that napari shows: axes, colour, scale, rotation; clicks land where the user sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.plugin.test_window import SCENE, Desk, middle, overlap

MOVIE = SCENE.images
SPINNING = np.deg2rad(25)


@pytest.mark.parametrize(
    ("image", "options", "axes", "frames"),
    [
        (MOVIE[0], {}, "YX", 1),
        (MOVIE[:4], {"axis_labels": ("z", "y", "x"), "scale": (4, 0.5, 0.5)}, "ZYX", 4),
        (np.stack([MOVIE[:4], MOVIE[:4]], 1), {"axis_labels": ("z", "c", "y", "x")}, "ZCYX", 4),
        (np.stack([MOVIE[:4], MOVIE[4:8]], 1), {"axis_labels": ("t", "z", "y", "x")}, "TZYX", 4),
        ((MOVIE[:4, :, :, None] // 64).clip(0, 255).astype(np.uint8).repeat(3, 3), {"rgb": True}, "TYXC", 4),
        ([MOVIE[:4], MOVIE[:4, ::2, ::2]], {}, "TYX", 4),
        (MOVIE[:4], {"scale": (2, 0.3, 0.3), "translate": (5, 40, -7), "rotate": 30.0}, "TYX", 4),
        (
            MOVIE[:4],
            {
                "affine": np.array(
                    [
                        [1, 0, 0, 0],
                        [0, 0.4 * np.cos(SPINNING), -0.5 * np.sin(SPINNING), 11],
                        [0, 0.4 * np.sin(SPINNING), 0.5 * np.cos(SPINNING), -3],
                        [0, 0, 0, 1],
                    ]
                )
            },
            "TYX",
            4,
        ),
    ],
    ids=["image", "stack", "channels", "volumes", "colour", "multiscale", "rotated", "affine"],
)
def test_a_click_makes_a_mask_there(
    new_viewer: Callable[[], Any], image: Any, options: dict[str, Any], axes: str, frames: int
) -> None:
    desk = Desk(new_viewer(), image, **options)
    bridge, visitor = desk.bridge, desk.visitor
    assert (bridge.axes.letters, bridge.axes.frames) == (axes, frames)
    _, y, x = middle(0, 2)
    visitor.click(desk.image, bridge.axes.position(0, y, x))
    visitor.wait(lambda: 1 in bridge.session.objects and bool(bridge.session.prompts(1)))
    (click,) = bridge.session.prompts(1)[0].clicks
    assert (click.y, click.x) == pytest.approx((y, x), abs=1.5)
    assert overlap(desk.masks(1)[0], SCENE.labels[0] == 2) > 0.6
    visitor.rest(0.3)

    # The layer shows the mask exactly where the image has the object.
    layer = bridge.sitting.label_layer.layer
    world = desk.image.data_to_world(bridge.axes.position(0, y, x))
    assert layer.get_value(world, world=True) == 1
    corner = np.argwhere(desk.masks(1)[0])[0]
    assert layer.get_value(desk.image.data_to_world(bridge.axes.position(0, *corner)), world=True) == 1
    if frames > 1:
        bridge.propagate(_forward(), None, 2)
        visitor.wait(lambda: bridge.status.running)
        desk.settle()
        assert sorted(desk.masks(1)) == [0, 1, 2]
        bridge.show_frame(2)
        visitor.rest(0.2)
        assert bridge.status.frame == 2
        place = np.argwhere(desk.masks(1)[2])
        y, x = place[len(place) // 2]
        assert layer.get_value(desk.image.data_to_world(bridge.axes.position(2, y, x)), world=True) == 1


def _forward() -> Any:
    from napari_sam2.prompts import Direction

    return Direction.FORWARD


def test_an_image_that_is_moved_takes_its_masks_along(new_viewer: Callable[[], Any]) -> None:
    desk = Desk(new_viewer())
    desk.click(0, 1)
    desk.image.scale = (1, 0.25, 0.25)
    desk.image.translate = (0, 3, 4)
    for layer in (desk.bridge.sitting.label_layer.layer, desk.bridge.sitting.prompt_layers.points):
        np.testing.assert_allclose(layer.scale, desk.image.scale)
        np.testing.assert_allclose(layer.translate, desk.image.translate)


def test_two_images_and_two_viewers_do_not_meet(new_viewer: Callable[[], Any]) -> None:
    one, other = Desk(new_viewer()), Desk(new_viewer())
    assert one.bridge is not other.bridge
    one.click(0, 1)
    assert not other.bridge.session.objects
    second = one.viewer.add_image(MOVIE[:3], name="another")
    one.bridge.choose_image(second)
    one.visitor.wait(lambda: one.bridge.session is not None)
    assert not one.bridge.session.objects
    one.bridge.choose_image(one.image)
    one.visitor.wait(lambda: one.bridge.session is not None)
    assert set(one.bridge.session.objects) == {1}
