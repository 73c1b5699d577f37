import warnings
from importlib.resources import files

import numpy as np

from napari_sam2.plugin.samples import dividing_nuclei


def test_manifest_is_valid_and_its_functions_exist() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # npe2's own, towards pydantic
        from npe2 import PluginManifest
    manifest = PluginManifest.from_file(str(files("napari_sam2") / "napari.yaml"))
    manifest.validate_imports()
    assert manifest.name == "napari-sam2"
    assert manifest.display_name == "SAM 2"


def test_sample_is_an_image_and_its_truth() -> None:
    (image, image_meta, image_kind), (labels, _, labels_kind) = dividing_nuclei()
    assert (image_kind, labels_kind) == ("image", "labels")
    assert image.dtype == np.uint16
    assert image.shape == labels.shape == (30, 256, 256)
    assert image_meta["name"]
    assert np.issubdtype(labels.dtype, np.integer)
    assert labels.max() >= 12
