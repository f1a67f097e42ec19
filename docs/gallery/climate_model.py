# %% [markdown]
# # From a biased climate model to a storm with stations
#
# A climate model gives coarse fields with a bias. This notebook takes the usual steps: correct the bias against a
# reference, downscale with a generative prior of four variables, add weather stations, and score the members. The
# weather is simulated (`xdownscale.tutorial.weather`), so the truth is known. The prior is small and learns in seconds.

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

import xdownscale
from xdownscale.nn.unet import UNetSize

NAMES = ["psl", "uas", "vas", "tas"]
archive = xdownscale.tutorial.weather((480, 48, 48), seed=1)[
    NAMES
]  # 20 days of hourly analyses, cells of 10 km
truth = xdownscale.tutorial.weather((6, 32, 32), seed=7)[
    NAMES
]  # six hours that the climate model went through

# %% [markdown]
# ## The climate model
#
# It has cells of 40 km and steps of 3 hours. It is 3 K too warm, and its wind is a third too strong.


# %%
def climate_model(weather):
    """Coarse fields with a bias."""
    coarse = weather.sr.coarsen(spatial=4, temporal=3)
    with xr.set_options(keep_attrs=True):
        return coarse.assign(tas=coarse.tas + 3, uas=coarse.uas * 1.33, vas=coarse.vas * 1.33)


reference = archive.isel(y=slice(32), x=slice(32)).sr.coarsen(spatial=4, temporal=3)
historical = climate_model(xdownscale.tutorial.weather((480, 32, 32), seed=2)[NAMES])
storm = climate_model(truth)

# %% [markdown]
# ## Correct the bias
#
# Quantile mapping compares the distributions of two periods, cell by cell: the days of model and reference need not
# agree, their climates do. Pressure has no bias here and is left as it is.

# %%
corrected = storm.copy()
for name in ["uas", "vas", "tas"]:
    corrected[name] = xdownscale.correct(
        storm[name], reference[name], historical=historical[name], group="time"
    )

wanted = truth.sr.coarsen(spatial=4, temporal=3)
for name in ["uas", "vas", "tas"]:
    before, after = (float(abs(each[name] - wanted[name]).mean()) for each in (storm, corrected))
    print(f"{name}: mean absolute error {before:.2f} before, {after:.2f} after, in {truth[name].units}")

# %% [markdown]
# ## Learn what fine weather looks like
#
# `method="prior"` learns the joint distribution of the four variables from fine fields alone. It needs no coarse
# partner and no factors; both are given when the prior is used.

# %%
recipe = replace(
    xdownscale.PriorRecipe.named("small"),
    cells=32,
    frames=3,
    blanket=1,
    overlap=16,
    margin=4,
    size=UNetSize((8, 16), depth=1),
)
prior = archive.sr.train(method="prior", recipe=recipe, steps=40, progress=False)
prior

# %% [markdown]
# ## Downscale
#
# `error` is the standard deviation of the errors of the coarse values, in the units of each variable: what the
# correction has left.

# %%
how = {
    "spatial": 4,
    "temporal": 3,
    "members": 4,
    "steps": 10,
    "progress": False,
    "error": {"psl": 5.0, "uas": 0.5, "vas": 0.5, "tas": 0.4},
}
ensemble = corrected.sr.downscale(prior, **how)
xdownscale.plot.comparison(corrected.tas, ensemble.tas, truth.tas, step=1)

# %% [markdown]
# Wind speed is computed member by member, from components that belong together.

# %%
speed = (
    np.hypot(ensemble.uas, ensemble.vas).rename("sfcWind").assign_attrs(units="m s-1", long_name="wind speed")
)
true_speed = np.hypot(truth.uas, truth.vas).rename("sfcWind").assign_attrs(speed.attrs)
xdownscale.plot.stamps(speed, true_speed, step=4, most=4)

# %% [markdown]
# ## Add stations
#
# Forty thermometers report every hour, with an error of 0.3 K. The same prior takes them together with the coarse
# fields.

# %%
random = np.random.default_rng(0)
place = {axis: ("station", truth[axis].values[random.integers(2, 30, 40)]) for axis in ("y", "x")}
stations = truth.tas.interp(
    {axis: xr.DataArray(values, dims="station") for axis, (_, values) in place.items()}
)
stations = (
    (stations + random.normal(0, 0.3, stations.shape)).assign_attrs(truth.tas.attrs).assign_coords(error=0.3)
)
nearer = corrected.sr.downscale(prior, observations=stations, **how)

# %% [markdown]
# ## Score
#
# The fair CRPS of an ensemble and the absolute error of a single forecast are on one scale; lower is better. The
# first column is the climate model as it is, interpolated. Pressure hardly varies within 40 km, so there is nothing
# to gain for it.

# %%
raw = storm.sr.interpolate(spatial=4, temporal=3)
forecasts = {"interpolated": raw, "corrected, downscaled": ensemble, "with stations": nearer}
crps = {
    name: {
        label: float(xdownscale.metrics.crps_ensemble(truth[name], each[name]))
        for label, each in forecasts.items()
    }
    for name in NAMES
}
xr.Dataset(
    {label: ("variable", [crps[name][label] for name in NAMES]) for label in forecasts}, {"variable": NAMES}
).to_dataframe().round(2)

# %%
hour = 4
figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), sharey=True, layout="constrained")
for axis, (label, each) in zip(axes, forecasts.items(), strict=True):
    error = each.tas.isel(time=hour) - truth.tas.isel(time=hour)
    error = error.mean("member") if "member" in error.dims else error
    image = axis.pcolormesh(truth.x / 1e3, truth.y / 1e3, error, cmap="RdBu_r", vmin=-4, vmax=4)
    axis.set(title=label, xlabel="x in km", aspect="equal")
axes[-1].plot(stations.x / 1e3, stations.y / 1e3, "k^", markersize=5)
axes[0].set_ylabel("y in km")
figure.colorbar(image, ax=axes, label="error of the temperature in K")
