"""What can go wrong, in words that say what came, what was expected and what to do."""


class Sam2Error(Exception):
    """Base of every error that this package raises on purpose; its text is a sentence for the user."""


class ImageError(Sam2Error, ValueError):
    """Pixels that cannot be segmented: wrong shape, NaN, constant, empty."""


class PromptError(Sam2Error, ValueError):
    """A prompt that names no place, no object or no frame of the image."""


class CheckpointError(Sam2Error):
    """Weights that cannot be fetched, read or fitted to a network."""


class StorageError(Sam2Error):
    """A file that cannot be read or written: missing, corrupt, in the way, or the disk is full."""


class MemoryShortage(Sam2Error):
    """A step that does not fit into memory, even with one object at a time."""
