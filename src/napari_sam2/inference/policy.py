"""Every threshold and switch of using the network, with its reason; nothing here changes a weight."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from math import inf
from typing import Any

from napari_sam2.errors import Sam2Error
from napari_sam2.model.capabilities import Capabilities
from napari_sam2.model.values import StabilityFallback


@dataclass(frozen=True, slots=True)
class MaskPolicy:
    """How one prompt becomes one mask.

    Attributes
    ----------
    dynamic_multimask_via_stability
        Where a single mask's area hangs on the threshold, take the best of the three alternatives instead.
    dynamic_multimask_stability_delta, dynamic_multimask_stability_thresh
        Logit offset and share of area that decide it (model spec 6.5).
    """

    dynamic_multimask_via_stability: bool = True
    dynamic_multimask_stability_delta: float = 0.05
    dynamic_multimask_stability_thresh: float = 0.98

    @classmethod
    def for_model(cls, capabilities: Capabilities) -> MaskPolicy:
        """Return what users of a network need: SAM was not made to replace its single mask."""
        return cls(dynamic_multimask_via_stability=capabilities.falls_back)

    @property
    def fallback(self) -> StabilityFallback | None:
        """What `SAM2.decode` takes."""
        if not self.dynamic_multimask_via_stability:
            return None
        return StabilityFallback(
            self.dynamic_multimask_stability_delta, self.dynamic_multimask_stability_thresh
        )


@dataclass(frozen=True, slots=True)
class TrackingPolicy:
    """How objects are followed through a sequence. The defaults are what users need.

    `TrackingPolicy.reference` gives what the published code does; the first group bears its names.

    Attributes
    ----------
    fill_hole_area
        Holes of at most so many pixels of the mask logits (a quarter of the model's size) are filled.
    non_overlap_masks
        Give every pixel to one object at most, in the logits already. Labels never overlap in any case.
    add_all_frames_to_correct_as_cond
        A corrected frame becomes a prompted one, so that the correction sticks.
    clear_non_cond_mem_around_input
        A prompt drops the object's unprompted memories within `num_maskmem` frames of it.
    binarize_mask_from_pts_for_mem_enc
        Prompted masks are remembered hard, not as probabilities.
    max_cond_frames_in_attn
        At most so many prompted frames are looked at; -1 for all.
    memory_temporal_stride_for_eval
        Look at every so many-th of the recent frames.
    max_obj_ptrs_in_encoder
        How many frames back object pointers reach.
    only_obj_ptrs_in_the_past_for_eval
        Pointers of prompted frames count only behind the current frame.
    multimask_output_for_tracking, multimask_min_pt_num, multimask_max_pt_num
        When three masks are predicted and the best is taken: on frames with so few points.
    mask
        How one prompt becomes one mask.
    anchor_each_object
        An object is followed from its own first prompt, never through frames that lie before all its prompts.
    keep_replaced_mask
        Feed the mask of replaced prompts back to the network; False starts anew when prompts are replaced.
    recall_own_frame
        A corrected frame may look at the memory that its earlier prompt left.
    forget_cleared
        What the prompts of a frame left in memory goes when they are cleared or replaced: its own result, and
        what was tracked from it.
    drop_strays
        Pieces of a mask that touch neither the object's mask on the frame before nor a positive click are
        taken away, out of the memory too: what lies apart is another object that looks alike. Where no piece
        touches, all stay. A mask from a box alone or a painted one is left as it is.
    contiguous_within
        For the slices of a stack: a body hangs together, and once it has ended it does not come back. A
        tracked mask that touches none of the object's masks on so many frames before is not taken, and an
        object that was not found on so many frames in a row is not looked for any more. 0: it may jump and
        come back. Needs `drop_strays`.
    fades_below
        For the slices of a stack, too: a tracked object is not there where its object score, a logit, is
        below this share of the highest one on the tracked frames whose pointers are looked at. Where a body
        ends a small network grows doubtful, but rarely says so. 0: the sign of the score alone decides.
    smooth
        Standard deviation in pixels of a Gaussian that frames go through before the network sees them. A
        picture smaller than the network's input is enlarged, and the noise of its pixels with it, to a grain
        that is taken for texture. 0: none.
    memory_dtype
        Number format of remembered maps; the reference stores bfloat16.
    state_bytes
        Budget for everything that is remembered; older parts go to a temporary file and come back unchanged.
    embedding_bytes
        Budget for encoded frames; at least one is kept.
    objects_at_once
        Objects of one memory layout that go through the network together.
    """

    fill_hole_area: int = 8
    non_overlap_masks: bool = False
    add_all_frames_to_correct_as_cond: bool = True
    clear_non_cond_mem_around_input: bool = False
    binarize_mask_from_pts_for_mem_enc: bool = True
    max_cond_frames_in_attn: int = -1
    memory_temporal_stride_for_eval: int = 1
    max_obj_ptrs_in_encoder: int = 16
    only_obj_ptrs_in_the_past_for_eval: bool = True
    multimask_output_for_tracking: bool = True
    multimask_min_pt_num: int = 0
    multimask_max_pt_num: int = 1
    mask: MaskPolicy = field(default_factory=MaskPolicy)
    anchor_each_object: bool = True
    keep_replaced_mask: bool = False
    recall_own_frame: bool = False
    forget_cleared: bool = True
    drop_strays: bool = True
    contiguous_within: int = 0
    fades_below: float = 0.0
    smooth: float = 0.0
    memory_dtype: str = "bfloat16"
    state_bytes: int = 512 * 2**20
    embedding_bytes: int = 256 * 2**20
    objects_at_once: int = 8

    def __post_init__(self) -> None:
        most = self.max_cond_frames_in_attn
        if most != -1 and most < 2:
            raise Sam2Error(f"max_cond_frames_in_attn is -1 for all, or 2 and more, got {most}.")
        for name in ("memory_temporal_stride_for_eval", "max_obj_ptrs_in_encoder", "objects_at_once"):
            if getattr(self, name) < 1:
                raise Sam2Error(f"{name} is 1 or more, got {getattr(self, name)}.")
        if self.contiguous_within < 0:
            raise Sam2Error(f"contiguous_within is 0 for never, or 1 and more, got {self.contiguous_within}.")
        if self.contiguous_within and not self.drop_strays:
            raise Sam2Error("contiguous_within goes further than drop_strays: switch that on, too.")
        if not 0 <= self.smooth < inf:
            raise Sam2Error(f"smooth is a number of pixels from 0 on, got {self.smooth}.")
        if not 0 <= self.fades_below <= 1:
            raise Sam2Error(f"fades_below is a share from 0 to 1, got {self.fades_below}.")
        if self.memory_dtype not in ("float32", "float16", "bfloat16"):
            raise Sam2Error(f"memory_dtype is float32, float16 or bfloat16, got {self.memory_dtype!r}.")

    @classmethod
    def for_stacks(cls, **switches: Any) -> TrackingPolicy:
        """Return what serves the slices of a stack: bodies hang together and end; other fields by name."""
        return replace(cls(contiguous_within=2, fades_below=0.65), **switches)

    @classmethod
    def reference(cls, **switches: Any) -> TrackingPolicy:
        """Return the behaviour of the published code, with its switches by its names.

        Memories keep all digits, as in its recorded float32 runs; ``memory_dtype="bfloat16"`` is what its
        predictor stores.

        Raises
        ------
        Sam2Error
            If there is no switch of a given name.
        """
        policy = cls(
            add_all_frames_to_correct_as_cond=False,
            anchor_each_object=False,
            memory_dtype="float32",
            keep_replaced_mask=True,
            recall_own_frame=True,
            forget_cleared=False,
            drop_strays=False,
        )
        known = {f.name for f in fields(cls)}
        inner = {f.name for f in fields(MaskPolicy)}
        if unknown := switches.keys() - known - inner:
            names = ", ".join(sorted(known | inner))
            raise Sam2Error(f"The tracking policy has no switch {sorted(unknown)[0]!r}; it has {names}.")
        mask = replace(policy.mask, **{k: v for k, v in switches.items() if k in inner})
        return replace(policy, **{"mask": mask} | {k: v for k, v in switches.items() if k in known})

    def multimask(self, points: int, initial: bool) -> bool:
        """Whether to predict three masks for a prompt of so many points (a box counts two)."""
        allowed = initial or self.multimask_output_for_tracking
        return allowed and self.multimask_min_pt_num <= points <= self.multimask_max_pt_num
