"""Images, movies and volumes: what a sequence is made of, and what its file says of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
import zarr

from napari_sam2.batch.outcome import Status
from napari_sam2.batch.sources import plan_of
from napari_sam2.batch.work import networks
from napari_sam2.inference.tracker import VideoTracker
from napari_sam2.prompts import Click
from tests.batch.conftest import LENGTH, Folder, middle, no_session, outputs, run_here, scene, table_plan


def test_a_single_image_is_a_sequence_of_one_frame(folder: Folder, weights: Path) -> None:
    root = folder(1)
    tifffile.imwrite(root / "movie00.tif", scene(0).images[1], photometric="minisblack")
    table = root / "prompts.csv"
    table.write_text(
        table.read_text().replace("movie00.tif,1,1", "movie00.tif,1,0").replace(",2,2,", ",2,0,")
    )
    plan = table_plan(root, weights)
    (outcome,) = run_here(plan)
    assert (outcome.status, outcome.frames, outcome.visits) == (Status.DONE, 1, 1)
    labels = outputs(plan)["movie00.tif"]
    assert labels.shape == (64, 72)
    assert set(np.unique(labels)) == {0, 1, 2}


def test_the_scale_of_the_image_goes_to_the_output(folder: Folder, weights: Path) -> None:
    root = folder(1)
    tifffile.imwrite(
        root / "movie00.tif",
        scene(0).images,
        imagej=True,
        resolution=(4.0, 4.0),
        metadata={"axes": "TYX", "unit": "um", "finterval": 30.0},
    )
    plan = table_plan(root, weights, kind="ome-zarr", axes="TYX")
    (outcome,) = run_here(plan)
    assert outcome.status is Status.DONE, outcome.message
    (scales,) = zarr.open_group(plan.sequences[0].output, mode="r").attrs["ome"]["multiscales"]
    assert scales["datasets"][0]["coordinateTransformations"][0]["scale"] == [30.0, 0.25, 0.25]


def test_one_plane_of_a_volume_through_time(tmp_path: Path, weights: Path) -> None:
    images = np.stack([scene(0).images, scene(1).images], axis=1)
    tifffile.imwrite(tmp_path / "a.ome.tif", images, photometric="minisblack", metadata={"axes": "TZYX"})
    y, x = middle(scene(1), 0, 1)
    objects = [{"id": 1, "clicks": [[y, x]]}]
    wishes = {
        "sequences": [{"image": "a.ome.tif", "objects": objects}],
        "at": {"z": 1},
        "model": str(weights),
    }
    plan = plan_of(wishes, tmp_path, no_session)
    plan.folder.mkdir()
    (outcome,) = run_here(plan)
    assert (outcome.status, outcome.frames) == (Status.DONE, LENGTH)
    tracker = VideoTracker(networks.get(str(weights), None))
    state = tracker.start(scene(1).images)
    tracker.prompt(state, 0, 1, clicks=[Click(y, x)])
    assert plan.sequences[0].output.name == "a.tif"
    wanted = np.stack([result.labels() for result in tracker.propagate(state)])
    assert np.array_equal(tifffile.imread(plan.sequences[0].output), wanted)
