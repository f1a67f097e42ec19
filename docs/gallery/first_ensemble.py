# %% [markdown]
# # A first ensemble
#
# Rain on cells of 10 km and steps of 15 minutes becomes an ensemble on 1 km and 5 minutes, with the weights that come
# with the package. The rain is simulated, so the truth is known.

# %%
import xdownscale

rain = xdownscale.tutorial.rain((36, 120, 120), seed=4)
rain.sr

# %% [markdown]
# The accessor `.sr` says what was understood of the field. `coarsen` averages it to what a coarse model would have.

# %%
coarse = rain.sr.coarsen(spatial=10, temporal=3)
ensemble = coarse.sr.downscale(spatial=10, temporal=3, members=6, seed=0, progress=False)
ensemble.sizes

# %% [markdown]
# ## Look at it
#
# One coarse step, two members, the ensemble mean and the truth at each fine step. The mean is smooth, because members
# differ in what the coarse field leaves open; each member has the texture of rain.

# %%
xdownscale.plot.comparison(coarse, ensemble, rain)

# %%
xdownscale.plot.stamps(ensemble, rain, most=5)

# %% [markdown]
# ## Totals are kept
#
# Averaged over the coarse cells, every member equals the coarse field up to rounding.

# %%
again = ensemble.sr.coarsen(spatial=10, temporal=3)
print(f"largest difference: {float(abs(again - coarse).max()):.1e} mm/h")

# %% [markdown]
# ## At one place
#
# Members follow the coarse field over 15 minutes and differ within them.

# %%
xdownscale.plot.series(ensemble, rain, at={"y": 60_500, "x": 60_500})

# %% [markdown]
# ## The same seed gives the same ensemble
#
# A member does not depend on how many there are, and a part of the time gives the same values as the whole.

# %%
three = coarse.sr.downscale(spatial=10, temporal=3, members=3, seed=0, progress=False)
print(bool((three == ensemble.isel(member=slice(3))).all()))
