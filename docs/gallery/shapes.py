# %% [markdown]
# # Does rain have the right shape?
#
# Scores of single cells do not distinguish a few large rain areas with smooth edges from a thousand small ones. Area,
# perimeter and Euler characteristic (pieces less holes) of the set where rain reaches a threshold do. This notebook
# computes and plots them for simulated rain, and uses them in the loss of a network.

# %%
from functools import partial

import xdownscale
from xdownscale import metrics

rain = xdownscale.tutorial.rain((12, 80, 80))
coarse = rain.sr.coarsen(spatial=10, temporal=3)
ensemble = coarse.sr.downscale(spatial=10, temporal=3, members=6, progress=False)
bicubic = coarse.sr.interpolate(10, 3)

# %% [markdown]
# ## Sets above a threshold
#
# A is the area in cells, P the perimeter in cell sides (Crofton's formula with four directions), and χ the number of
# pieces less that of holes. Cells outside the frame count as dry. With a higher threshold the area shrinks and breaks
# up into pieces.

# %%
frame = rain.isel(time=6)
xdownscale.plot.excursion_sets(frame, thresholds=[0.1, 1, 5])

# %%
metrics.minkowski_functionals(frame, thresholds=[0.1, 1, 5], components=True)

# %% [markdown]
# ## Curves over thresholds
#
# Thresholds at quantiles of the wet cells give each part of the distribution equal weight. The band covers all
# members. The areas of the ensemble are right, its perimeters are somewhat too short, and it has fewer pieces than
# the truth: small showers are missing. Bicubic interpolation is further away in all three, and has nothing left at
# the highest threshold.

# %%
thresholds = metrics.wet_quantiles(rain, levels=[0.05, 0.2, 0.4, 0.6, 0.8, 0.95])
models = {"ensemble": ensemble, "bicubic": bicubic}
xdownscale.plot.gamma_curves(rain, models, thresholds=thresholds.values.tolist())

# %% [markdown]
# The distance between curves is one number for each functional. It is not a proper score: an ensemble without spread
# may have a small distance. The CRPS of the members' curves is a proper score. The numbers are (distance, CRPS): both
# prefer the ensemble, by more than a factor of two. For a single forecast they are equal.

# %%
levels = {"thresholds": thresholds.values.tolist(), "levels": thresholds.level.values.tolist()}
distance = {name: metrics.minkowski_distance(rain, model, **levels) for name, model in models.items()}
crps = {name: metrics.minkowski_crps(rain, model, **levels) for name, model in models.items()}
{name: (float(distance[name].sum()), float(crps[name].sum())) for name in models}

# %% [markdown]
# ## Gradients
#
# As a function of the field, these functionals are step functions without useful gradients. Averaged over thresholds
# near the given one they have gradients and remain exact. More rain in a red cell increases a functional, in a blue
# cell it decreases it.

# %%
xdownscale.plot.shape_gradients(frame, threshold=1.0)

# %% [markdown]
# ## In a loss
#
# `"mse"` trains a deterministic network on the squared error; `"mse+minkowski"` adds the distance of its curves to
# those of the truth. For the generator, which produces ensembles, `loss="minkowski"` adds the CRPS of the curves. The
# four steps below only demonstrate the calls; [the benchmarks](../benchmarks_full.md#shapes) show the effect after
# longer training.

# %%
few = xdownscale.Recipe.named("small").with_steps(4)
learn = partial(xdownscale.train, rain, 4, method="median", recipe=few, validation=0, progress=False)
plain = learn(loss="mse")
shaped = learn(loss="mse+minkowski")
shaped.provenance.recipe["shapes"]

# %% [markdown]
# Weight, thresholds and levels can be chosen:

# %%
own = xdownscale.MinkowskiLoss(weight=0.3, thresholds=(0.1, 1.0, 5.0), levels=(0.2, 0.5, 0.8))
own_shapes = learn(loss=["mse", own])
