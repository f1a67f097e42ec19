"""How fine fields and predictors vary, beside their standard deviation: the units of what a network is to learn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from xdownscale.kernels.blocks import block_mean
from xdownscale.kernels.resize import interpolate_cells, resize_axis

if TYPE_CHECKING:
    from torch import Tensor

    from xdownscale.models.generator import Covariate
    from xdownscale.models.transform import Transform
    from xdownscale.training.data import TrainingData
    from xdownscale.training.patches import PatchSampler

WINDOWS = 32
"""Windows on which it is estimated."""

LEAST = 1e-4
"""Of a field that interpolation gives exactly, such as a constant one."""


def with_details(data: TrainingData, windows: PatchSampler) -> TrainingData:
    """The same data, whose targets and predictors know their detail.

    Parameters
    ----------
    data : TrainingData
    windows : PatchSampler
        Windows to learn from.
    """
    if all(each.nonnegative for each in data.transforms) and not data.predictors:
        return data
    batch = windows.spread(min(WINDOWS, len(windows.patches)))
    fields, count = torch.from_numpy(batch.fine).unbind(2), len(data.transforms)
    targets = zip(data.transforms, fields[:count], strict=True)
    predictors = zip(data.predictors, fields[count:], strict=True)
    return replace(
        data,
        transforms=tuple(_with_detail(transform, fine, windows.blocks) for transform, fine in targets),
        predictors=tuple(
            replace(each, detail=_apart(each, block_mean(fine, windows.blocks))) for each, fine in predictors
        ),
    )


def _apart(predictor: Covariate, coarse: Tensor) -> float:
    """What sets cells apart from those around, over the standard deviation."""
    return _size(replace(predictor, detail=1.0).transform.features(coarse)[..., 1, :, :])


def _with_detail(transform: Any, fine: Tensor, blocks: tuple[int, int, int]) -> Transform:
    """A transform of one target, from windows (B, T·L, S_y·M, S_x·N)."""
    if transform.nonnegative:
        kept: Transform = transform
        return kept
    steps = resize_axis(block_mean(fine, blocks), 1, blocks[0], dim=1)
    left = fine - interpolate_cells(steps, (1, *blocks[1:]))
    made: Transform = replace(transform, detail=_size(left / transform.scale))
    return made


def _size(values: Tensor) -> float:
    """Root mean square of what is known, between :data:`LEAST` and 1."""
    known = values[values.isfinite()]
    return min(1.0, max(LEAST, float(known.square().mean()) ** 0.5)) if len(known) else 1.0
