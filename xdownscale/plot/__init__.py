"""Plots. Each function returns a matplotlib figure without a window, or writes a file.

Colours are distinguishable under all common kinds of colour blindness. Rain is plotted in classes with white for dry
cells, the observed field in black. Functions that compare forecasts with observations take observations first, as
scores do, and one forecast or several by name. Functions that show an ensemble take it first, because the observed
field is optional.
"""

from xdownscale.plot.calibration import rank_histogram, reliability, spread_skill
from xdownscale.plot.comparison import comparison
from xdownscale.plot.distribution import quantiles, spectra
from xdownscale.plot.scores import along, overview
from xdownscale.plot.series import series
from xdownscale.plot.shapes import excursion_sets, gamma_curves, shape_gradients
from xdownscale.plot.stamps import animation, stamps
from xdownscale.plot.time_means import time_means
from xdownscale.plot.trained import model
from xdownscale.plot.tuning import tuning

__all__ = [
    "along",
    "animation",
    "comparison",
    "excursion_sets",
    "gamma_curves",
    "model",
    "overview",
    "quantiles",
    "rank_histogram",
    "reliability",
    "series",
    "shape_gradients",
    "spectra",
    "spread_skill",
    "stamps",
    "time_means",
    "tuning",
]
