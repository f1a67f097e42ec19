"""Make climate fields finer in space and time: every DataArray and Dataset gets an ``.sr`` accessor."""

from __future__ import annotations

from xdownscale.coarsen import coarsen
from xdownscale.errors import XDownscaleError

__all__ = ["XDownscaleError", "coarsen"]
