# %% [markdown]
# # What is a network worth?
#
# Interpolation and RainFARM learn nothing and cost nothing. Here they are scored beside the generator, on rain that
# is simulated and that no model has learned from.

# %%
import xdownscale
from xdownscale.evaluate import scores_table

rain = xdownscale.tutorial.rain((24, 120, 120), seed=8)
coarse = rain.sr.coarsen(spatial=10, temporal=3)
models = {
    "generator": coarse.sr.downscale(spatial=10, temporal=3, members=6, progress=False),
    "RainFARM": xdownscale.baselines.rainfarm(coarse, 10, 3, members=6),
    "bicubic": coarse.sr.interpolate(10, 3),
    "nearest": coarse.sr.interpolate(10, 3, method="nearest"),
}

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 5, figsize=(13, 2.9), sharey=True, layout="constrained")
for axis, (label, each) in zip(axes, {"truth": rain, **models}.items(), strict=True):
    frame = (each.isel(member=0) if "member" in each.dims else each).isel(time=12)
    image = axis.pcolormesh(
        rain.x / 1e3, rain.y / 1e3, frame.where(frame >= 0.1), cmap="YlGnBu", vmin=0, vmax=12
    )
    axis.set(title=label, xlabel="x in km", aspect="equal")
axes[0].set_ylabel("y in km")
figure.colorbar(image, ax=axes, label="rain in mm/h")

# %% [markdown]
# ## Scores
#
# Intervals are the central 95 % over blocks of time.

# %%
scores = xdownscale.evaluate(
    rain,
    models,
    metrics=["crps_ensemble", "mae", "rmse", "spread_skill_ratio", "lsd", "lag_autocorrelation_error"],
    reference="bicubic",
    bootstrap=100,
)
scores_table(scores)

# %%
xdownscale.plot.overview(scores)

# %% [markdown]
# ## By scale
#
# RainFARM has the right spectrum in space by construction. Where its rain falls within a coarse cell is drawn at
# random, as is how it moves.

# %%
parts = xdownscale.evaluate(rain, models, metrics=["crps_ensemble"], scales=(1, 2, 5, 10))
xdownscale.plot.along(parts, "crps_ensemble", "scale")

# %%
xdownscale.plot.spectra(rain, models, factor=10)
