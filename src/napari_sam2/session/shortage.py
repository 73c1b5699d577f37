"""Memory that runs out; told apart on the floor below, where batches ask as well."""

from napari_sam2.inference.shortage import give_back, is_shortage, shortage

__all__ = ["give_back", "is_shortage", "shortage"]
