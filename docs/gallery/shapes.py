# %% [markdown]
# # Is rain of the right shape?
#
# Scores of single cells do not see whether rain lies in a few large pieces with smooth edges or in a thousand crumbs.
# Area, perimeter and Euler characteristic (pieces less holes) of where it reaches a threshold do. Here they are
# measured, drawn, and put into the loss of a network, on simulated rain: nothing is downloaded, and it takes minutes.

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
# A is the area in cells, P the perimeter in sides of cells (Crofton's formula with four directions), χ the number of
# pieces less that of holes. Beyond the frame nothing is wet.

# %%
frame = rain.isel(time=6)
xdownscale.plot.excursion_sets(frame, thresholds=[0.1, 1, 5])

# %%
metrics.minkowski_functionals(frame, thresholds=[0.1, 1, 5], components=True)

# %% [markdown]
# ## Curves over thresholds
#
# Thresholds at quantiles of the wet cells give every part of the rain its share. The band holds all members.

# %%
thresholds = metrics.wet_quantiles(rain, levels=[0.05, 0.2, 0.4, 0.6, 0.8, 0.95])
models = {"ensemble": ensemble, "bicubic": bicubic}
xdownscale.plot.gamma_curves(rain, models, thresholds=thresholds.values.tolist())

# %% [markdown]
# The distance between curves is one number for each functional. It is no proper score: an ensemble whose members are
# all alike may have a short one. The CRPS of the members' curves is.

# %%
levels = {"thresholds": thresholds.values.tolist(), "levels": thresholds.level.values.tolist()}
distance = {name: metrics.minkowski_distance(rain, model, **levels) for name, model in models.items()}
crps = {name: metrics.minkowski_crps(rain, model, **levels) for name, model in models.items()}
{name: (float(distance[name].sum()), float(crps[name].sum())) for name in models}

# %% [markdown]
# ## Gradients
#
# As steps these functionals have no gradients. Averaged over thresholds near a given one they have, and are still
# exact: more rain in a red cell gives more of a functional, in a blue one less.

# %%
xdownscale.plot.shape_gradients(frame, threshold=1.0)

# %% [markdown]
# ## In a loss
#
# "mse" trains a deterministic network on the squared error; "mse+minkowski" adds the distance of its curves to those
# of the truth. For the generator, which draws ensembles, `loss="minkowski"` adds the CRPS. A few steps show how it is
# done and no more; what is gained after more of them is in the benchmarks.

# %%
few = xdownscale.Recipe.named("small").with_steps(4)
learn = partial(xdownscale.train, rain, 4, method="median", recipe=few, validation=0, progress=False)
plain = learn(loss="mse")
shaped = learn(loss="mse+minkowski")
shaped.provenance.recipe["shapes"]

# %%
own = xdownscale.MinkowskiLoss(weight=0.3, thresholds=(0.1, 1.0, 5.0), levels=(0.2, 0.5, 0.8))
own_shapes = learn(loss=["mse", own])
