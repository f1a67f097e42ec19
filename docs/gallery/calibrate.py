# %% [markdown]
# # Calibrate to your radar
#
# Radar products differ in texture: some are smooth, some have speckle. `calibrate` fits four numbers, a style vector,
# and the gain of the noise to a few frames of a product. Here the product is simulated rain that was smoothed.

# %%
import xarray as xr

import xdownscale
from xdownscale.evaluate import scores_table


def product(seed):
    """Smooth rain, as of a radar product that was filtered over 5 by 5 cells."""
    with xr.set_options(keep_attrs=True):
        rain = xdownscale.tutorial.rain((24, 128, 128), seed=seed)
        return (
            rain.rolling(y=5, x=5, center=True)
            .mean()
            .isel(y=slice(4, 124), x=slice(4, 124))
            .astype("float32")
        )


sample, truth = product(11), product(12)
coarse = truth.sr.coarsen(spatial=10, temporal=3)

# %% [markdown]
# ## Fit
#
# The sample is one event; another one is kept to judge by.

# %%
calibrated = sample.sr.calibrate("rain-10x3", name="mine", steps=20, progress=False)
print(calibrated.style, "among", calibrated.styles)

# %% [markdown]
# ## Before and after

# %%
how = {"spatial": 10, "temporal": 3, "members": 6, "progress": False}
forecasts = {
    "as shipped": coarse.sr.downscale("rain-10x3", **how),
    "calibrated": coarse.sr.downscale(calibrated, **how),
    "bicubic": coarse.sr.interpolate(10, 3),
}
scores = xdownscale.evaluate(
    truth, forecasts, metrics=["crps_ensemble", "spread_skill_ratio", "lsd", "lag_autocorrelation_error"]
)
scores_table(scores)

# %%
xdownscale.plot.spectra(truth, forecasts, factor=10)

# %%
xdownscale.plot.stamps(forecasts["as shipped"], truth, most=3)

# %%
xdownscale.plot.stamps(forecasts["calibrated"], truth, most=3)

# %% [markdown]
# `calibrated.save("mine.safetensors")` keeps the model.
