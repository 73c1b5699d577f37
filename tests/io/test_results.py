"""Results are checked where they come in, and asked for frame by frame."""

import numpy as np
import pytest

from napari_sam2.errors import ImageError, StorageError
from napari_sam2.io.results import Results
from tests.io.result_scene import scene

LABELS = np.array([[[0, 1], [1, 0]], [[5, 0], [0, 5]]])


def test_a_stack_of_labels() -> None:
    results = Results.of_labels(LABELS, parents={5: 1, 6: 1})
    assert (results.shape, dict(results.objects)) == ((2, 2, 2), {1: "Object 1", 5: "Object 5"})
    assert results.lineage == {5: 1}
    assert results.dtype == np.uint16
    assert np.array_equal(results.labels_on(1), LABELS[1])
    assert [(n, mask.tolist()) for n, mask in results.masks_on(1)] == [(5, [[True, False], [False, True]])]
    assert dict(results.confidence_on(0)) == {}


def test_masks_may_overlap_and_come_one_at_a_time() -> None:
    made = scene()
    for t, wanted in enumerate(made.masks):
        got = dict(made.results().masks_on(t))
        assert list(got) == sorted(wanted)
        assert all(np.array_equal(got[n], wanted[n]) for n in wanted)
    assert sum((made.masks[1][1] & made.masks[1][7]).ravel()) > 0


def test_nothing_descends_through_depth() -> None:
    assert scene().results().lineage == {2: 1, 3: 1}
    assert scene().results(frame_axis="Z").lineage == {}


def test_classes_are_noted_where_somebody_said() -> None:
    results = scene().results(classes={1: "mitotic", 2: "", 8: "gone"})
    assert (results.class_of(1), results.class_of(3)) == ("mitotic", "")
    assert results.notes["classes"] == {"1": "mitotic"}


def test_large_ids_need_32_bits() -> None:
    assert Results.of_labels(LABELS * 20000).dtype == np.uint32


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"shape": (0, 2, 2)}, ImageError, "at least 1"),
        ({"objects": {0: "ground"}}, ImageError, "from 1 to"),
        ({"frame_axis": "C"}, ImageError, "along T or Z"),
        ({"spacing": (1.0, 1.0)}, ImageError, "three positive numbers"),
        ({"spacing": (1.0, 0.0, 1.0)}, ImageError, "three positive numbers"),
        ({"provenance": {"model": object()}}, StorageError, "as JSON"),
    ],
)
def test_results_that_make_no_sense(more: dict, error: type[Exception], words: str) -> None:
    known = {"shape": (2, 2, 2), "objects": {1: "a"}, "labels": lambda t: LABELS[t]}
    with pytest.raises(error, match=words):
        Results(**(known | more))


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (np.zeros((3, 2), int), r"whole numbers of shape \(2, 2\)"),
        (np.zeros((2, 2)), "float64"),
        (np.full((2, 2), 4), "label 4, but there is no such object"),
        (np.full((2, 2), -1), "label -1"),
    ],
)
def test_labels_that_contradict(frame: np.ndarray, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        Results((1, 2, 2), {1: "a"}, lambda t: frame).labels_on(0)


@pytest.mark.parametrize("found", [(2, np.ones((2, 2), bool)), (1, np.ones((2, 3), bool))])
def test_masks_that_contradict(found: tuple) -> None:
    results = Results((1, 2, 2), {1: "a"}, lambda t: LABELS[0], masks=lambda t: [found])
    with pytest.raises(ImageError, match="expected are masks"):
        list(results.masks_on(0))
