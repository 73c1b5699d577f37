"""Regions are found from run lengths alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_sam2.inference.masklet import RunLengths
from napari_sam2.session.region import Region, joined

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)


@settings(deadline=None, max_examples=200)
@given(arrays(bool, SHAPES, elements=st.booleans()))
def test_region_holds_the_mask_and_rows_are_exact(mask: np.ndarray) -> None:
    region = Region.of(RunLengths.encode(mask))
    if region is None:
        assert not mask.any()
        return
    rows, columns = np.nonzero(mask)
    assert (region.y0, region.y1) == (rows.min(), rows.max() + 1)
    assert mask[region.slices].sum() == mask.sum()
    if not (mask[:-1, -1] & mask[1:, 0]).any():  # else a run goes over the edge, and the region is as wide
        assert (region.x0, region.x1) == (columns.min(), columns.max() + 1)


def test_joined() -> None:
    assert joined(None, None) is None
    assert joined(Region(1, 2, 3, 4), None, Region(0, 3, 2, 9)) == Region(0, 2, 3, 9)
