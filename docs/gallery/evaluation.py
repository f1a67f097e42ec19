# %% [markdown]
# # How good is an ensemble?
#
# From an ensemble to a page of scores and pictures, on simulated rain: nothing is downloaded, and it takes a minute.
# Each cell can be run again with data of yours: any DataArray along time, y and x.

# %%
import xdownscale
from xdownscale.evaluate import scores_table

rain = xdownscale.tutorial.rain((12, 80, 80))
coarse = rain.sr.coarsen(spatial=10, temporal=3)
ensemble = coarse.sr.downscale(spatial=10, temporal=3, members=6, progress=False)

# %% [markdown]
# ## Look first
#
# Scores do not see rings, streaks or blocks. Members stand beside the truth, at the wettest step.

# %%
xdownscale.plot.stamps(ensemble, rain)

# %% [markdown]
# ## Several models, one table
#
# An ensemble is worth something if it beats what one would do without it. Scores of all models go over the same cases;
# `reference` adds the skill over one of them, `bootstrap` the central 95 % by drawing blocks of time.

# %%
models = {"ensemble": ensemble, "bicubic": coarse.sr.interpolate(10, 3)}
scores = xdownscale.evaluate(rain, models, reference="bicubic", thresholds=[0.1, 1, 5], bootstrap=100)
scores_table(scores)

# %%
xdownscale.plot.overview(scores)

# %% [markdown]
# ## Is it calibrated?
#
# Bars within the grey band are what chance would do. Left high and right low: the members are too wet.

# %%
xdownscale.plot.rank_histogram(rain, ensemble)

# %%
xdownscale.plot.reliability(rain, models, threshold=1.0)

# %% [markdown]
# ## Are texture and extremes right?
#
# The dotted line is the shortest wave of the coarse field, two coarse cells long: to its right everything was made up.

# %%
xdownscale.plot.spectra(rain, models, factor=10)

# %%
xdownscale.plot.quantiles(rain, models)

# %% [markdown]
# ## Where, when and on which scale?
#
# `scales` scores means over blocks of cells, `by` groups of cases, `region` parts of the map; each is a dimension of
# the result. `{"lead": 3}` is the place of a step in its coarse step of three.

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
# ## Any function of xskillscore's form
#
# `f(observations, forecasts, dim=...)`; one that does not take `member_dim` gets the ensemble mean.

# %%
import xskillscore

scores_table(xdownscale.evaluate(rain, models, metrics=[xskillscore.pearson_r, "mae"]))

# %% [markdown]
# ## A page to send
#
# One HTML file with tables, pictures and where the scores come from. It needs no other file and no network.

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
