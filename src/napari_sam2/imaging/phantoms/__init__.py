"""Procedural microscopy with exact truth, for sample data, tests and training."""

from napari_sam2.imaging.phantoms.bacteria import Light, rods
from napari_sam2.imaging.phantoms.crowd import Stain, crowded_nuclei
from napari_sam2.imaging.phantoms.em import Truth, em_membranes
from napari_sam2.imaging.phantoms.movies import moving_nuclei
from napari_sam2.imaging.phantoms.phantom import Phantom
from napari_sam2.imaging.phantoms.phase import phase_cells
from napari_sam2.imaging.phantoms.shapes import passing_shapes, textured_shapes
from napari_sam2.imaging.phantoms.threads import filaments
from napari_sam2.imaging.phantoms.tissue import epithelium, walled_tissue
from napari_sam2.imaging.phantoms.volumes import nuclei_volume, nuclei_volume_movie
from napari_sam2.imaging.phantoms.yeast import budding_yeast

__all__ = [
    "Light",
    "Phantom",
    "Stain",
    "Truth",
    "budding_yeast",
    "crowded_nuclei",
    "em_membranes",
    "epithelium",
    "filaments",
    "moving_nuclei",
    "nuclei_volume",
    "nuclei_volume_movie",
    "passing_shapes",
    "phase_cells",
    "rods",
    "textured_shapes",
    "walled_tissue",
]
