"""What is larger than memory is read in little of it, measured in a process of its own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux tells the most memory that a program had"
)

MIB = 2**20
READ = """
import sys, warnings
warnings.simplefilter("ignore", UserWarning)  # a sparse store warns of its empty chunks
from napari_sam2.io.frames import open_frames
import numpy, zarr  # what is imported on the way is not counted
def peak():  # getrusage would begin with the peak of the program that started this one
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
start = peak()
with open_frames(sys.argv[1]) as frames:
    total = sum(int(frames[i].max()) for i in range(0, len(frames), int(sys.argv[2])))
    print(len(frames), frames[0].nbytes, total, peak() - start)
"""


def growth(path, every):
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path), str(every)], capture_output=True, text=True, check=True
    )
    frames, nbytes, total, grown = map(int, done.stdout.split())
    return frames * nbytes, total, grown


def test_twenty_gigabytes_of_zarr(tmp_path):
    made = zarr.create_array(
        tmp_path / "a.zarr", shape=(2500, 2048, 2048), dtype="u2", chunks=(1, 1024, 1024)
    )
    for i in (0, 1200, 2400):
        made[i] = np.full((2048, 2048), i + 1, np.uint16)
    size, total, grown = growth(tmp_path / "a.zarr", 24)
    assert size > 20e9
    assert size / 24 > 500 * MIB  # as much is read, so that keeping it would show
    assert total == 1 + 1201 + 2401
    assert grown < 500 * MIB


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tif", "npy"])
def test_four_gigabytes_in_one_file(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    shape = (500, 2048, 2048)
    if kind == "tif":  # its pixels are a hole until something is written there
        mapped = tifffile.memmap(path, shape=shape, dtype=np.uint16, bigtiff=True, photometric="minisblack")
    else:
        mapped = np.lib.format.open_memmap(path, "w+", np.uint16, shape)
    mapped[[0, 250, 490], 5, 5] = (1, 2, 3)
    mapped.flush()
    del mapped
    size, total, grown = growth(path, 5)
    assert size > 4e9
    assert size / 5 > 500 * MIB
    assert total == 6
    assert grown < 500 * MIB
