"""The napari face: every file a thin view; the only place that may import Qt, napari and magicgui."""
