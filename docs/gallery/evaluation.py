# %% [markdown]
# # How good is an ensemble?
#
# This notebook evaluates an ensemble of simulated rain, from maps and scores to a report. Every cell also works with
# your own data, any DataArray along time, y and x.

# %%
import xdownscale
from xdownscale.evaluate import scores_table

rain = xdownscale.tutorial.rain((12, 80, 80))
coarse = rain.sr.coarsen(spatial=10, temporal=3)
ensemble = coarse.sr.downscale(spatial=10, temporal=3, members=6, progress=False)

# %% [markdown]
# ## Plot members first
#
# Scores of single cells do not detect rings, streaks or blocks. The plot shows members beside the truth at the
# wettest step. The members have the showers of the truth, with smoother edges; no coarse cells
# are visible.

# %%
xdownscale.plot.stamps(ensemble, rain)

# %% [markdown]
# ## Several models, one table
#
# An ensemble is useful if it is better than what one would use instead. All models are scored on the same cases;
# `reference` adds the skill over one of them, and `bootstrap` the central 95 % interval from resampled blocks of
# time. The CRPS of the ensemble is about half that of bicubic interpolation, and the intervals do not overlap.

# %%
models = {"ensemble": ensemble, "bicubic": coarse.sr.interpolate(10, 3)}
scores = xdownscale.evaluate(rain, models, reference="bicubic", thresholds=[0.1, 1, 5], bootstrap=100)
scores_table(scores)

# %%
xdownscale.plot.overview(scores)

# %% [markdown]
# ## Is it calibrated?
#
# The rank histogram counts the rank of the observation among the members. Bars within the grey band are compatible
# with a calibrated ensemble. Here the first and the last bar are too high: the observation is outside the range of
# the members too often, so the ensemble is underdispersive. The first bar is the higher one, so where the members
# have rain they have it too often. The reliability diagram compares forecast probabilities of at least 1 mm/h with
# observed frequencies. The ensemble is near the diagonal; bicubic interpolation, which gives only the probabilities 0
# and 1, is far from it.

# %%
xdownscale.plot.rank_histogram(rain, ensemble)

# %%
xdownscale.plot.reliability(rain, models, threshold=1.0)

# %% [markdown]
# ## Are texture and extremes right?
#
# The dotted line is at the shortest wavelength of the coarse field, two coarse cells. To its right, all variability
# was added by the model. The spectrum of the ensemble is close to that of the truth down to 4 km and too low below;
# bicubic interpolation has about 10 dB too little. The percentiles show the same for extremes: those of the ensemble
# are slightly too low, and bicubic interpolation never exceeds 7 mm/h.

# %%
xdownscale.plot.spectra(rain, models, factor=10)

# %%
xdownscale.plot.quantiles(rain, models)

# %% [markdown]
# ## Where, when and on which scale?
#
# `scales` scores means over blocks of cells, `by` scores groups of cases, and `region` parts of the map; each adds a
# dimension to the result. `by={"lead": 3}` groups the fine steps by their position in a coarse step of three. The
# panels show the first, middle and last position: the first and the last are harder for both models, and the ensemble
# is better at every scale.

# %%
parts = xdownscale.evaluate(
    rain,
    models,
    metrics=["crps_ensemble", "bias"],
    scales=(1, 2, 5, 10),
    by={"lead": 3},
    region={"west": rain.x < 40_000, "east": rain.x >= 40_000},
)
xdownscale.plot.along(parts.sel(region="west"), "crps_ensemble", "scale")

# %% [markdown]
# ## Metrics of other libraries
#
# Any function `f(observations, forecasts, dim=...)` is accepted, as in xskillscore. A function without the argument
# `member_dim` gets the ensemble mean.

# %%
import xskillscore

scores_table(xdownscale.evaluate(rain, models, metrics=[xskillscore.pearson_r, "mae"]))

# %% [markdown]
# ## Report
#
# The report is one HTML file with the tables, plots and the provenance of the scores. It needs no other file and no
# network.

# %%
xdownscale.report(
    scores,
    "report.html",
    forecasts=models,
    observations=rain,
    coarse=coarse,
    title="Simulated rain, by 10 in space and 3 in time",
    overwrite=True,
)
