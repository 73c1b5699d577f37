"""Training clips: repeatable, well formed, and masks that stay on their objects."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from napari_sam2.errors import StorageError
from napari_sam2.training import augment_clips as augment
from napari_sam2.training.clips import ClipLoader, ClipMix, ClipSource
from napari_sam2.training.recordings import Kind, Recording, load_recordings

REAL = ClipMix(phantom=0.0)


def discs(shift: float = 0.0) -> np.ndarray:
    """Four labelled discs in a field of 90 x 120."""
    y, x = np.mgrid[:90, :120]
    labels = np.zeros((90, 120), np.uint8)
    for label, (cy, cx, radius) in enumerate([(20, 20, 8), (60, 30, 12), (30, 80, 15), (70, 95, 10)], 1):
        labels[(y - cy) ** 2 + (x - cx - shift) ** 2 <= radius**2] = label
    return labels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A training folder of one gray still, one colour still, one tracked movie, one stack and one video."""
    root = tmp_path / "train"
    (root / "video" / "frames").mkdir(parents=True)
    (root / "video" / "masks").mkdir()
    movie = np.stack([discs(2 * t) for t in range(5)])
    bright = np.where(movie > 0, 200, 20).astype(np.uint8)
    Image.fromarray(bright[0]).save(root / "gray.png")
    Image.fromarray(np.stack([bright[0], 255 - bright[0], bright[0]], -1)).save(root / "colour.png")
    Image.fromarray(movie[0]).save(root / "still.png")
    tifffile.imwrite(root / "movie.tif", bright.astype(np.uint16) * 100)
    tifffile.imwrite(root / "tracks.tif", movie)
    for t, (image, mask) in enumerate(zip(bright, movie == 3, strict=True)):
        Image.fromarray(np.repeat(image[..., None], 3, -1)).save(root / "video" / "frames" / f"{t}.jpg")
        Image.fromarray(mask.astype(np.uint8) * 255).save(root / "video" / "masks" / f"{t}.png")
    items = [
        {"image": "gray.png", "label": "still.png", "kind": "2d"},
        {"image": "colour.png", "label": "still.png", "kind": "2d"},
        {"image": "movie.tif", "label": "tracks.tif", "kind": "2d+t"},
        {"image": "movie.tif", "label": "tracks.tif", "kind": "3d"},
        {"image": "video/frames", "label": "video/masks", "kind": "video"},
    ]
    (root / "index.json").write_text(json.dumps({"items": items}))
    return root


@pytest.mark.parametrize("frames", [1, 4])
def test_clips_are_well_formed_and_never_begin_with_an_empty_mask(folder: Path, frames: int) -> None:
    source = ClipSource(folder, 48, frames, 3, min_area=10, mix=REAL, phantoms=0)
    for _ in range(40):
        clip = source.sample()
        objects = clip.masks.shape[1]
        assert clip.images.shape == (frames, 48, 48, 3)
        assert clip.images.dtype == np.float32
        assert clip.images.min() >= 0 and clip.images.max() <= 1
        assert clip.masks.shape == (frames, objects, 48, 48)
        assert clip.masks.dtype == np.bool_
        assert 1 <= objects <= 3
        assert (clip.masks[0].sum((1, 2)) >= 10).all()
        assert (clip.masks.sum(1) <= 1).all()


def test_the_same_seed_gives_the_same_clips_with_and_without_a_cache(folder: Path, tmp_path: Path) -> None:
    caches = (None, tmp_path / "cache", tmp_path / "cache")
    sources = [ClipSource(folder, 32, 3, seed=5, cache=cache, mix=REAL, phantoms=0) for cache in caches]
    other = ClipSource(folder, 32, 3, seed=6, mix=REAL, phantoms=0)
    for _ in range(5):
        first, *rest = [source.sample() for source in sources]
        assert all(np.array_equal(first.images, clip.images) for clip in rest)
        assert all(np.array_equal(first.masks, clip.masks) for clip in rest)
        assert not np.array_equal(first.images, other.sample().images)


@pytest.mark.parametrize(("kind", "frames"), [(Kind.STILL, 1), (Kind.STILL, 5), (Kind.TRACKED, 4)])
def test_masks_stay_on_an_image_that_is_its_own_mask(
    kind: Kind, frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(augment, "restain", lambda rng, images: np.repeat(images, 3, -1))
    monkeypatch.setattr(augment, "disturb", lambda rng, images, masks: (images, masks))
    labels = np.stack([discs(2 * t) for t in range(1 if kind is Kind.STILL else 5)])
    recording = Recording.build(kind, np.where(labels > 0, 255, 0), labels)
    # Only the camera moves: objects that overlap or glow are the collage's own matter.
    source = ClipSource(Path(), 64, frames, 8, min_area=1, recordings=[recording], lively=0)
    for _ in range(40):
        clip = source.sample()
        image, mask = clip.images[..., 0] > 0.5, clip.masks.any(1)
        border = 0.06 * mask[0].sum() + 10
        assert (image[0] != mask[0]).sum() <= border
        assert all((there & ~shown).sum() <= border for there, shown in zip(mask, image, strict=True))


def test_objects_of_a_lively_still_move_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    still = augment.Motion(0, 0, 0, 0)
    monkeypatch.setattr(augment, "Motion", lambda *_: still)
    labels = discs()[None]
    recording = Recording.build(Kind.STILL, np.where(labels > 0, 255, 20), labels)
    apart = {}
    for lively in (0.0, 1.0):
        source = ClipSource(Path(), 64, 6, 8, seed=1, min_area=4, recordings=[recording], lively=lively)
        clips = [source.sample() for _ in range(20)]
        apart[lively] = np.mean([spread(clip.masks) for clip in clips])
    assert apart[0.0] < 0.5 and apart[1.0] > 1


def spread(masks: np.ndarray) -> float:
    """How differently the objects of masks (T, O, S, S) move from first to last frame, in pixels."""
    moved = [
        np.argwhere(last).mean(0) - np.argwhere(first).mean(0)
        for first, last in zip(masks[0], masks[-1], strict=True)
        if first.any() and last.any()
    ]
    return float(np.std(moved, axis=0).max()) if len(moved) > 1 else 0.0


def test_a_hidden_object_leaves_image_and_mask_together() -> None:
    masks = np.zeros((2, 1, 40, 40), bool)
    masks[:, 0, 10:20, 12:22] = True
    for seed in range(30):
        image = np.where(masks.any(1), 1, 0)[..., None].astype(np.float32)
        images, left = augment.disturb(np.random.default_rng(seed), image, masks.copy())
        assert np.array_equal(left[0], masks[0])
        assert (images[1, left[1, 0], 0] > 0.3).all()


def test_time_is_strided_within_the_recording_and_turns_round_when_it_is_short() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        times = augment.choose_moments(rng, 10, 4, 2, reversible=True)
        assert set(np.diff(times)) in ({1}, {2}, {-1}, {-2})
        assert times.min() >= 0 and times.max() <= 9
        assert set(np.abs(np.diff(augment.choose_moments(rng, 3, 6, 2, reversible=False)))) == {1}
        assert not augment.choose_moments(rng, 1, 4, 2, reversible=False).any()


def test_classes_tell_ground_inside_and_border() -> None:
    labels = np.array(
        [
            [0, 0, 0, 0, 0, 0, 0],
            [0, 1, 1, 1, 2, 2, 2],
            [0, 1, 1, 1, 2, 2, 2],
            [0, 1, 1, 1, 2, 2, 2],
            [0, 0, 0, 0, 0, 0, 0],
        ],
        np.uint16,
    )
    expected = np.array(
        [
            [0, 0, 0, 0, 0, 0, 0],
            [0, 2, 2, 2, 2, 2, 2],
            [0, 2, 1, 2, 2, 1, 1],
            [0, 2, 2, 2, 2, 2, 2],
            [0, 0, 0, 0, 0, 0, 0],
        ]
    )
    classes = augment.classify(labels, complete=True)
    assert classes.dtype == np.int8
    assert np.array_equal(classes, expected)
    assert np.array_equal(augment.classify(labels, complete=False), np.where(labels > 0, expected, -1))


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Kind.STILL, {0, 1, 2}),
        (Kind.STACK, {0, 1, 2}),
        (Kind.PHANTOM, {0, 1, 2}),
        (Kind.TRACKED, {-1, 1, 2}),
        (Kind.VIDEO, {-1}),
    ],
)
def test_classes_are_unknown_where_a_recording_is_not_labelled_throughout(
    kind: Kind, values: set[int]
) -> None:
    labels = np.stack([discs(2 * t) for t in range(5)])
    recording = Recording.build(kind, np.where(labels > 0, 255, 0), labels)
    source = ClipSource(Path(), 64, 2, 8, recordings=[recording])
    found: set[int] = set()
    for _ in range(20):
        clip = source.sample()
        assert clip.classes.shape == (64, 64)
        found |= set(np.unique(clip.classes).tolist())
        # What was chosen as an object is labelled, so it is not ground, but for corners that were rounded.
        assert (clip.classes[clip.masks[0].any(0)] == 0).mean() < 0.1
    assert found == values


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_are_padded_to_the_largest_number_of_objects(folder: Path, workers: int) -> None:
    loader = ClipLoader(3, workers, folder=folder, size=32, frames=2, max_objects=5, mix=REAL, phantoms=0)
    images, masks, valid, classes = next(loader)
    assert images.shape == (3, 2, 3, 32, 32)
    assert images.dtype == torch.float32
    assert masks.shape == (3, 2, 5, 32, 32)
    assert torch.equal(masks[:, 0].flatten(2).any(-1), valid)
    assert classes.shape == (3, 32, 32)
    assert classes.dtype == torch.int8


def test_a_folder_without_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"index\.json"):
        load_recordings(tmp_path)
