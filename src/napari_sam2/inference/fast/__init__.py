"""Layers that compute the same in less time; `napari_sam2.inference.runtime` puts them in place."""
