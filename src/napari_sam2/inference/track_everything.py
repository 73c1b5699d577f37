"""All objects of a sequence: looked for every few frames, carried from frame to frame, with their lineage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_sam2.errors import ImageError
from napari_sam2.imaging.intensity import IntensityMap
from napari_sam2.inference.divisions import are_daughters, daughters, pieces
from napari_sam2.inference.embeddings import FrameSource, read_frame
from napari_sam2.inference.everything import Everything
from napari_sam2.inference.found_masks import flatten
from napari_sam2.inference.lives import Lives
from napari_sam2.inference.matching import match, overlaps
from napari_sam2.inference.seeded import SeededEverything
from napari_sam2.inference.track_everything_policy import TrackEverythingPolicy
from napari_sam2.inference.track_state import TrackState
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.model.families import ImageModel
from napari_sam2.prompts import FrameIndex, ObjectId

Labels = npt.NDArray[np.uint32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class FrameOfAll:
    """A frame and its labels (H, W): the objects' numbers, 0 for none."""

    frame: FrameIndex
    labels: Labels


class TrackEverything:
    """Follows all objects of a sequence.

    Parameters
    ----------
    model
        The network; it has a memory and is not changed.
    policy
        How objects are followed, and when new ones are looked for.
    find
        How they are found on a frame; by default from seeds.

    Attributes
    ----------
    lives
        Of every object of the sequence that `follow` went through last.

    Raises
    ------
    CheckpointError
        If the network only segments single images.
    """

    def __init__(
        self,
        model: ImageModel,
        policy: TrackEverythingPolicy | None = None,
        find: SeededEverything | Everything | None = None,
    ) -> None:
        self.policy = policy or TrackEverythingPolicy()
        self.lives = Lives()
        self._tracker = VideoTracker(model, self.policy.tracking)
        self._find = find or SeededEverything(model)

    def follow(self, frames: FrameSource, intensity: IntensityMap | None = None) -> Iterator[FrameOfAll]:
        """Go through a sequence, forward.

        Parameters
        ----------
        frames
            (T, H, W), or (T, H, W, 3) in colour; any dtype; read one at a time.
        intensity
            How pixel values become what the network sees; by default one mapping for the whole stack where
            objects are followed, and one for each window where they are looked for.

        Returns
        -------
        iterator of FrameOfAll
            One a frame; `lives` knows who was there up to that frame. Closing it stops after the current one.

        Raises
        ------
        ImageError
            If the frames have another layout, or show nothing.
        """
        state = self._tracker.start(frames, intensity)
        self.lives = Lives()
        return self._walk(state, intensity)

    def _walk(self, state: TrackState, intensity: IntensityMap | None) -> Iterator[FrameOfAll]:
        before: Labels = np.zeros(state.shape, np.uint32)
        for frame in range(state.length):
            labels = self._carried(state, frame)
            self._split(state, frame, labels)
            if frame % self.policy.every == 0:
                labels = self._look(state, frame, labels, before, intensity)
            self._close(state, frame, labels)
            before = labels
            yield FrameOfAll(frame, labels)
        self._tracker.reset(state)

    def _carried(self, state: TrackState, frame: FrameIndex) -> Labels:
        """Return where the objects of the frame before are now."""
        if not state.objects:
            return np.zeros(state.shape, np.uint32)
        result = next(self._tracker.propagate(state, start=frame, length=1))
        labels: Labels = result.labels().astype(np.uint32)
        numbers, sizes = np.unique(labels, return_counts=True)
        labels[np.isin(labels, numbers[sizes < self.policy.least_area])] = 0
        return labels

    def _split(self, state: TrackState, frame: FrameIndex, labels: Labels) -> None:
        """Make daughters, in place, of objects whose tracked mask has come apart."""
        division = self.policy.division
        if division is None:
            return
        for number in np.unique(labels[labels > 0]).tolist():
            life = self.lives.all[number]
            parts = pieces(labels == number)
            if len(parts) < 2 or life.age < division.age:
                continue
            areas = [int(part.sum()) for part in parts[:2]]
            if are_daughters(areas[0], areas[1], life.area, division):
                labels[labels == number] = 0
                self._divide(state, frame, number, parts[:2], labels)

    def _look(
        self,
        state: TrackState,
        frame: FrameIndex,
        tracked: Labels,
        before: Labels,
        intensity: IntensityMap | None,
    ) -> Labels:
        """Return the labels of a frame, with what is found on it now."""
        found = self._found(state, frame, intensity)
        table = overlaps(tracked, found)
        pairs = match(table.iou, self.policy.same)
        continues = {int(table.columns[c]): int(table.rows[r]) for r, c in pairs.items()}
        labels = tracked.copy()
        self._divisions(state, frame, found, continues, before, labels)
        for number in table.rows.tolist():
            life = self.lives.all[number]
            life.doubted = 0 if number in continues.values() else life.doubted + 1
        covered = dict(zip(table.columns.tolist(), table.of_columns.sum(axis=0).tolist(), strict=True))
        fresh = []
        for column in table.columns.tolist():
            mask = found == column
            if column in continues:
                number = continues[column]
                if number in self.lives.living and self._better(number, tracked == number, mask):
                    labels[labels == number] = 0
                    fresh.append((number, mask))
            elif covered[column] <= self.policy.covered and mask.sum() >= self.policy.least_area:
                fresh.append((0, mask))
        for number, mask in fresh:
            self._anchor(state, frame, number or self.lives.begin(frame), mask, labels)
        return labels

    def _better(self, number: ObjectId, tracked: Mask, found: Mask) -> bool:
        """Whether an object is rather where it was found than where it was carried to."""
        if self.policy.renew > 1:
            return False
        areas = [int(mask.sum()) for mask in (tracked & found, tracked | found, tracked, found)]
        if areas[0] >= self.policy.renew * areas[1]:
            return True
        before = self.lives.all[number].areas
        if not before:
            return True
        carried, seen = (abs(np.log(max(area, 1) / before[-1])) for area in areas[2:])
        return bool(seen <= carried)

    def _found(self, state: TrackState, frame: FrameIndex, intensity: IntensityMap | None) -> Labels:
        image = read_frame(state.frames, frame)
        if image.min() == image.max():
            return np.zeros(state.shape, np.uint32)
        try:
            masks = self._find.segment(image, intensity)
        except ImageError as error:
            raise ImageError(f"Frame {frame} cannot be segmented. {error}") from error
        return flatten(masks, state.shape, least_area=self.policy.least_area).astype(np.uint32)

    def _divisions(
        self,
        state: TrackState,
        frame: FrameIndex,
        found: Labels,
        continues: dict[int, ObjectId],
        before: Labels,
        labels: Labels,
    ) -> None:
        """Make daughters, in place, where two objects were found in one mother's place."""
        division = self.policy.division
        if division is None:
            return
        numbers = np.unique(found)
        for mother in np.unique(before[before > 0]).tolist():
            life = self.lives.all[mother]
            if mother not in self.lives.living or life.age < division.age:
                continue
            free = np.array([n for n in numbers if continues.get(int(n), mother) == mother])
            place = (before == mother) | (labels == mother)
            pair = daughters(found, free, place, life.area, division)
            if pair:
                labels[labels == mother] = 0
                self._divide(state, frame, mother, [found == number for number in pair], labels)
                continues.update(dict.fromkeys(pair, mother))

    def _divide(
        self,
        state: TrackState,
        frame: FrameIndex,
        mother: ObjectId,
        masks: list[Mask],
        labels: Labels,
    ) -> None:
        self._end(state, mother)
        for mask in masks:
            self._anchor(state, frame, self.lives.begin(frame, mother), mask, labels)

    def _anchor(
        self,
        state: TrackState,
        frame: FrameIndex,
        number: ObjectId,
        mask: Mask,
        labels: Labels,
    ) -> None:
        """Follow an object from its mask on a frame on; pixels that others have stay theirs."""
        self._tracker.prompt(state, frame, number, mask=mask)
        labels[mask & (labels == 0)] = number

    def _end(self, state: TrackState, number: ObjectId) -> None:
        self.lives.end(number)
        if number in state.objects:
            self._tracker.remove(state, number)

    def _close(self, state: TrackState, frame: FrameIndex, labels: Labels) -> None:
        """Note who was seen, and let those end that were not for long."""
        numbers, sizes = np.unique(labels[labels > 0], return_counts=True)
        areas = dict(zip(numbers.tolist(), sizes.tolist(), strict=True))
        for number in sorted(self.lives.living):
            self.lives.seen(number, frame, areas.get(number, 0))
            life = self.lives.all[number]
            if life.missed >= self.policy.lost_after or life.doubted >= self.policy.doubted_after:
                self._end(state, number)
