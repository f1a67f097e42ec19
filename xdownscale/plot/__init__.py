"""Pictures for the eye. Each function gives a figure of matplotlib that belongs to no window, or writes a file.

Colours are told apart under every common kind of colour blindness; rain has classes with white for dry; the truth is
black. Functions that set forecasts against observations take observations first, as scores do, and one forecast or
several by name.
"""

from xdownscale.plot.calibration import rank_histogram, reliability, spread_skill
from xdownscale.plot.comparison import comparison
from xdownscale.plot.distribution import quantiles, spectra
from xdownscale.plot.scores import along, overview
from xdownscale.plot.series import series
from xdownscale.plot.stamps import animation, stamps

__all__ = [
    "along",
    "animation",
    "comparison",
    "overview",
    "quantiles",
    "rank_histogram",
    "reliability",
    "series",
    "spectra",
    "spread_skill",
    "stamps",
]
