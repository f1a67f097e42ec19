"""Baselines: each is a function of a coarse field and factors, and has a name for ``evaluate``.

Interpolations and RainFARM need no training data and BCSD uses past fields; the two networks are trained by
:func:`xdownscale.train` on the user's own fields.
"""

from xdownscale.baselines.bcsd import bcsd
from xdownscale.baselines.interpolated import bicubic, conservative, linear, nearest
from xdownscale.baselines.learned import edsr, median
from xdownscale.baselines.rainfarm import rainfarm

__all__ = ["bcsd", "bicubic", "conservative", "edsr", "linear", "median", "nearest", "rainfarm"]
