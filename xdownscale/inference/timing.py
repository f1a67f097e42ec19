"""How fast a method is here, from one small pass."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from xdownscale.inference.cores import work_of
from xdownscale.inference.engine import Job, sample
from xdownscale.models.device import on_device

if TYPE_CHECKING:
    from xdownscale.kernels.blocks import Blocks
    from xdownscale.models.method import Method

CELLS = 2**18
"""Fine values of the pass: some tenths of a second."""


def seconds_per_work(method: Method, blocks: Blocks, device: str) -> float:
    """Seconds of one thread for a fine value of a wet domain, with all that belongs to it.

    Parameters
    ----------
    method : Method
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).
    device : str
        A torch device.
    """
    frames = 4
    side = max(4, round((CELLS / (frames * np.prod(blocks))) ** 0.5))
    settings, shape = method.settings, (frames, side, side)
    typical = float(settings.transforms[0].inverse(torch.ones(())))
    channels = len(settings.transforms) + len(settings.predictors)
    coarse = np.full((frames, channels, side, side), typical, np.float32)
    static = None
    if settings.static:
        static = np.zeros((len(settings.static), side * blocks[1], side * blocks[2]), np.float32)
    job = Job(on_device(method, device), (0, 0, 0), core=shape, device=device, chosen=blocks)
    sample(job, coarse[:1], static)  # the first pass takes longer
    began = time.perf_counter()
    sample(job, coarse, static)
    return (time.perf_counter() - began) / work_of(shape, shape, method, blocks)
