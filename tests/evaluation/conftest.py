"""Sequences with exact truth, and methods that do as they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from napari_sam2.evaluation.methods import FrameLabels
from napari_sam2.io.datasets import LabelledSequence, SequenceKind
from napari_sam2.prompts import Direction, PromptSet


def disk(shape: tuple[int, int], y: float, x: float, radius: float) -> np.ndarray:
    rows, columns = np.indices(shape)
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def sequence_of(
    images: np.ndarray,
    labels: np.ndarray,
    kind: SequenceKind = "movie",
    annotated: tuple[int, ...] | None = None,
    name: str = "made",
) -> LabelledSequence:
    return LabelledSequence(name, kind, lambda: (images, labels), annotated)


def moving_disks(frames: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Two bright disks on dark ground, one moving right, one moving down: images and labels 3 and 8."""
    labels = np.zeros((frames, 48, 64), np.uint8)
    for t in range(frames):
        labels[t][disk((48, 64), 12, 12 + 2 * t, 6)] = 3
        labels[t][disk((48, 64), 30 + t, 50, 7)] = 8
    noise = np.random.default_rng(0).normal(0, 3, labels.shape)
    return (20 + 100 * (labels > 0) + noise).astype(np.float32), labels


class Scripted:
    """A follower whose masks come from `answer(object, frame, prompts so far)`, and that keeps a diary."""

    def __init__(self, answer: Callable[[int, int, dict[int, list[PromptSet]]], np.ndarray]) -> None:
        self.answer = answer
        self.given: dict[int, dict[int, list[PromptSet]]] = {}
        self.diary: list[str] = []
        self.length = 0

    def start(self, frames: np.ndarray) -> None:
        self.length = len(frames)
        self.restart()

    def restart(self) -> None:
        self.given = {}
        self.diary.append("restart")

    def prompt(self, frame: int, object_id: int, prompt: PromptSet) -> np.ndarray:
        self.given.setdefault(object_id, {}).setdefault(frame, []).append(prompt)
        self.diary.append(f"prompt {object_id} on {frame}")
        return self.answer(object_id, frame, self.given[object_id])

    def propagate(
        self, start: int | None = None, direction: Direction = Direction.FORWARD
    ) -> Iterator[FrameLabels]:
        self.diary.append(f"{direction.value} from {start}")
        anchors = {number: min(given) for number, given in self.given.items()}
        if start is None:
            start = min(anchors.values()) if direction.step > 0 else max(anchors.values())
        for frame in range(start, self.length if direction.step > 0 else -1, direction.step):
            labels: np.ndarray | None = None
            for number, anchor in anchors.items():
                mask = self.answer(number, frame, self.given[number])
                labels = np.zeros(mask.shape, np.int64) if labels is None else labels
                if (frame - anchor) * direction.step >= 0:
                    labels[mask] = number
            assert labels is not None
            yield FrameLabels(frame, labels)
