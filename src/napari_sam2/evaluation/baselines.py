"""What a user would do without a network: Otsu and watershed from the click, and masks carried by overlap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_sam2.errors import PromptError
from napari_sam2.evaluation.extras import need
from napari_sam2.evaluation.methods import FrameLabels, Image, empty_labels
from napari_sam2.evaluation.metrics import Labels, Mask
from napari_sam2.inference.simulated_user import first_click
from napari_sam2.prompts import Click, Direction, FrameIndex, ObjectId, PromptSet

_BLUR = 1.0
"""Standard deviation in pixels of the smoothing before the threshold."""

_ROUND = 1.0
"""The same for distances, so that one object has one summit."""

_APART = 5
"""Two objects' summits lie so many pixels apart at least."""


_OBJECT, _REST = 1, 2


class Otsu:
    """One image, parted by Otsu's threshold and cut into objects by a watershed of distances.

    Objects may be the bright side or the dark one: a click says which.

    Raises
    ------
    Sam2Error
        If scikit-image is not installed.
    """

    def __init__(self, image: Image) -> None:
        filters: Any = need("skimage.filters", "The baselines")
        gray = image.mean(axis=2) if image.ndim == 3 else image.astype(float)
        self._gray: npt.NDArray[np.float64] = ndimage.gaussian_filter(gray, _BLUR)
        self._threshold = float(filters.threshold_otsu(self._gray))
        self._sides: dict[bool, Labels] = {}

    def bright_at(self, click: Click) -> bool:
        """Return whether a click lies on the bright side."""
        return bool(self._gray[_pixel(click, self._gray.shape)] > self._threshold)

    def bright_in(self, mask: Mask) -> bool:
        """Return whether a mask (h, w) lies on the bright side, by its mean."""
        return bool(self._gray[mask].mean() > self._threshold)

    def segments(self, bright: bool) -> Labels:
        """Return the objects of one side, integers (h, w), 0 on the other side."""
        if bright not in self._sides:
            self._sides[bright] = _watershed((self._gray > self._threshold) == bright)
        return self._sides[bright]

    def under(self, click: Click, bright: bool) -> Mask:
        """Return the object under a click, bool (h, w); empty on the other side."""
        segments = self.segments(bright)
        number = segments[_pixel(click, segments.shape)]
        mask: Mask = (segments == number) & (number > 0)
        return mask

    def mostly_in(self, region: Mask, bright: bool) -> Mask:
        """Return the objects at least half of which lie in `region`, and the one with most pixels there."""
        segments = self.segments(bright)
        sizes = np.bincount(segments.ravel())
        inside = np.bincount(segments[region], minlength=len(sizes))
        sizes[0], inside[0] = 1, 0
        chosen = 2 * inside >= sizes
        if inside.any():
            chosen[inside.argmax()] = True
        mask: Mask = chosen[segments]
        return mask


class OtsuPredictor:
    """A `Predictor`: the object under the click.

    A further positive click adds the object under it, a negative one cuts off what is nearer to it by a
    watershed; of a box, what lies mostly within; a mask is taken as it is.
    """

    def __init__(self) -> None:
        self._otsu: Otsu | None = None

    def set_image(self, image: Image) -> None:
        """Part it."""
        self._otsu = Otsu(image)

    def predict(self, prompt: PromptSet, refine: bool = False) -> Mask:
        """Return the mask of one object."""
        if self._otsu is None:
            raise PromptError("There is no image yet: call set_image first.")
        return _answer(self._otsu, prompt, None, _side(self._otsu, prompt))


@dataclass(slots=True)
class _Carried:
    """One object: its side of the threshold, its prompts, what they corrected, what was found."""

    bright: bool
    prompts: dict[FrameIndex, PromptSet] = field(default_factory=dict)
    base: dict[FrameIndex, Mask | None] = field(default_factory=dict)
    found: dict[FrameIndex, Mask] = field(default_factory=dict)

    def before(self, frame: FrameIndex, step: int) -> Mask | None:
        """Return the mask one frame ago; None on the far side of the first prompt."""
        return self.found.get(frame - step) if (frame - min(self.prompts)) * step > 0 else None


class CarriedByOverlap:
    """A `Follower`: on every frame, the Otsu objects that the mask of the frame before lies on."""

    def __init__(self) -> None:
        self._frames: Image | None = None
        self._otsu: dict[FrameIndex, Otsu] = {}
        self._objects: dict[ObjectId, _Carried] = {}

    def start(self, frames: Image) -> None:
        """Take a sequence."""
        self._frames = frames
        self._otsu.clear()
        self.restart()

    def restart(self) -> None:
        """Forget all objects."""
        self._objects.clear()

    def prompt(self, frame: FrameIndex, object_id: ObjectId, prompt: PromptSet) -> Mask:
        """Join the prompt with earlier ones on this frame; together they correct what was carried here."""
        otsu = self._at(frame)
        if object_id not in self._objects:
            self._objects[object_id] = _Carried(_side(otsu, prompt))
        own = self._objects[object_id]
        earlier = own.prompts.get(frame)
        if earlier is None:
            own.base[frame] = own.found.get(frame)
        elif prompt.mask is None and earlier.mask is None:
            prompt = PromptSet((*earlier.clicks, *prompt.clicks), prompt.box or earlier.box)
        own.prompts[frame] = prompt
        own.found[frame] = _answer(otsu, prompt, own.base[frame], own.bright)
        return own.found[frame]

    def propagate(
        self, start: FrameIndex | None = None, direction: Direction = Direction.FORWARD
    ) -> Iterator[FrameLabels]:
        """Carry all masks along; where two meet, the lower number keeps the pixel."""
        if self._frames is None or not self._objects:
            raise PromptError("There is no object yet: prompt at least one before propagating.")
        anchors = [min(own.prompts) for own in self._objects.values()]
        step = direction.step
        if start is None:
            start = min(anchors) if step > 0 else max(anchors)
        stop = len(self._frames) if step > 0 else -1
        for frame in range(start, stop, step):
            labels = empty_labels(self._frames.shape[1:3], list(self._objects))
            for number, own in sorted(self._objects.items()):
                if frame in own.prompts:
                    mask = own.found[frame]
                else:
                    before = own.before(frame, step)
                    if before is None:
                        continue
                    mask = self._at(frame).mostly_in(before, own.bright)
                own.found[frame] = mask
                labels[mask & (labels == 0)] = number
            yield FrameLabels(frame, labels)

    def _at(self, frame: FrameIndex) -> Otsu:
        if self._frames is None:
            raise PromptError("There is no sequence yet: call start first.")
        if frame not in self._otsu:
            self._otsu[frame] = Otsu(self._frames[frame])
        return self._otsu[frame]


def _side(otsu: Otsu, prompt: PromptSet) -> bool:
    """Return whether the object that a prompt means is bright."""
    if prompt.mask is not None:
        return otsu.bright_in(np.asarray(prompt.mask.mask, dtype=bool))
    if prompt.clicks:
        return otsu.bright_at(prompt.clicks[0]) == prompt.clicks[0].positive
    box = prompt.box
    if box is None:
        raise PromptError("The prompt is empty: give at least one click, a box or a mask.")
    return otsu.bright_at(Click((box.y0 + box.y1) / 2, (box.x0 + box.x1) / 2))


def _answer(otsu: Otsu, prompt: PromptSet, before: Mask | None, bright: bool) -> Mask:
    if prompt.mask is not None:
        return np.asarray(prompt.mask.mask, dtype=bool)
    shape = otsu.segments(bright).shape
    mask: Mask = np.zeros(shape, dtype=bool) if before is None else before.copy()
    if prompt.box is not None:
        box, region = prompt.box, np.zeros(shape, dtype=bool)
        y0, x0 = _pixel(Click(box.y0, box.x0), shape)
        y1, x1 = _pixel(Click(box.y1, box.x1), shape)
        region[y0 : y1 + 1, x0 : x1 + 1] = True
        mask |= otsu.mostly_in(region, bright) & region
    for click in prompt.clicks:
        if click.positive:
            mask |= otsu.under(click, bright)
    return _parted(mask, prompt.clicks)


def _parted(mask: Mask, clicks: tuple[Click, ...]) -> Mask:
    """Cut off what belongs to negative clicks in a mask rather than to positive ones: clicks as markers."""
    negative = [c for c in clicks if not c.positive and mask[_pixel(c, mask.shape)]]
    if not negative:
        return mask
    segmentation: Any = need("skimage.segmentation", "The baselines")
    positive = [c for c in clicks if c.positive] or [first_click(mask)]
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    cut = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    markers = np.zeros(mask.shape, np.int32)
    for value, own in ((_OBJECT, positive), (_REST, negative)):
        for click in own:
            markers[_pixel(click, mask.shape)] = value
    kept: Mask = np.zeros_like(mask)
    kept[cut] = segmentation.watershed(-_depth(mask[cut]), markers[cut], mask=mask[cut]) == _OBJECT
    return kept


def _watershed(side: Mask) -> Labels:
    feature: Any = need("skimage.feature", "The baselines")
    segmentation: Any = need("skimage.segmentation", "The baselines")
    parts, _ = ndimage.label(side)
    distance = _depth(side)
    summits = feature.peak_local_max(distance, min_distance=_APART, labels=parts, exclude_border=False)
    markers = np.zeros(side.shape, np.int32)
    markers[tuple(summits.T)] = np.arange(1, len(summits) + 1)
    segments: Labels = segmentation.watershed(-distance, markers, mask=side).astype(np.int32)
    # Parts without a summit stay whole.
    left = side & (segments == 0)
    segments[left] = parts[left] + len(summits)
    return segments


def _depth(side: Mask) -> npt.NDArray[np.float64]:
    """Return the smoothed distance to the border, which the image's frame is part of."""
    depth: npt.NDArray[np.float64] = ndimage.distance_transform_edt(np.pad(side, 1))[1:-1, 1:-1]
    return ndimage.gaussian_filter(depth, _ROUND)


def _pixel(click: Click, shape: tuple[int, ...]) -> tuple[int, int]:
    height, width = shape[:2]
    return int(np.clip(round(click.y), 0, height - 1)), int(np.clip(round(click.x), 0, width - 1))
