# %% [markdown]
# # Wind and temperature together
#
# Several variables are learned jointly, so that wind and temperature of a member belong together. Pressure is a
# predictor: known on the coarse grid, and not refined. The weather is simulated; training takes half a minute.

# %%
import numpy as np
import xarray as xr

import xdownscale

weather = xdownscale.tutorial.weather((120, 64, 64), seed=3)[["uas", "vas", "tas", "psl"]]
past, truth = weather.isel(time=slice(96)), weather.isel(time=slice(96, 120))
weather.sr

# %% [markdown]
# ## Train
#
# `targets` are refined, `predictors` are known beside them.

# %%
targets = ["uas", "vas", "tas"]
model = past.sr.train(
    spatial=4, targets=targets, predictors=["psl"], recipe="small", steps=150, progress=False
)
model

# %% [markdown]
# ## Downscale
#
# The coarse Dataset holds the targets and the predictor; each is found by its name.

# %%
coarse = truth.sr.coarsen(spatial=4)[[*targets, "psl"]]
ensemble = coarse.sr.downscale(model, members=8, progress=False)
xdownscale.plot.comparison(coarse.uas, ensemble.uas, truth.uas, step=6)

# %%
xdownscale.plot.comparison(coarse.tas, ensemble.tas, truth.tas, step=6)

# %% [markdown]
# ## Score each variable
#
# The fair CRPS of the members beside the absolute error of bicubic interpolation, and the spread over the error of
# the mean, which should be 1. Half a minute is a short training: the spread is not there yet.

# %%
smooth = coarse.sr.interpolate(spatial=4)
metrics = xdownscale.metrics
rows = {
    name: [
        float(metrics.crps_ensemble(truth[name], ensemble[name])),
        float(metrics.mae(truth[name], smooth[name])),
        float(metrics.spread_skill_ratio(truth[name], ensemble[name])),
    ]
    for name in targets
}
xr.DataArray(
    list(rows.values()),
    {"variable": targets, "score": ["CRPS", "bicubic", "spread/skill"]},
).to_pandas().round(3)

# %% [markdown]
# ## Do the variables belong together?
#
# Zero means that the correlation of two variables of a member is that of the truth.

# %%
error = metrics.intervariable_correlation_error(truth[targets], ensemble[targets])
error.round(2)

# %% [markdown]
# ## Wind speed
#
# Speed follows from the components of each member. The mean over members comes last: the speed of the mean wind would
# be too low.

# %%
speed = (
    np.hypot(ensemble.uas, ensemble.vas).rename("sfcWind").assign_attrs(units="m s-1", long_name="wind speed")
)
true_speed = np.hypot(truth.uas, truth.vas).rename("sfcWind").assign_attrs(speed.attrs)
xdownscale.plot.stamps(speed, true_speed, step=6, most=5)
