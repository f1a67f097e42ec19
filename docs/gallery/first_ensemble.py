# %% [markdown]
# # A first ensemble
#
# This notebook downscales rain from cells of 10 km and steps of 15 minutes to an ensemble with 1 km and 5 minutes,
# using weights that are part of the package. The rain is simulated, so the truth is known.

# %%
import xdownscale

rain = xdownscale.tutorial.rain((36, 120, 120), seed=4)
rain.sr

# %% [markdown]
# The accessor `.sr` shows how the library interprets the field. `coarsen` averages it over blocks of cells and steps,
# as a stand-in for the output of a coarse model.

# %%
coarse = rain.sr.coarsen(spatial=10, temporal=3)
ensemble = coarse.sr.downscale(spatial=10, temporal=3, members=6, seed=0, progress=False)
ensemble.sizes

# %% [markdown]
# ## Plot the ensemble
#
# The plot shows one coarse step and, for each fine step in it, two members, the ensemble mean and the truth. The
# members agree on where the large shower is and differ in its small cores, which the coarse field does not determine.
# Each member has the texture of rain; the ensemble mean is smoother than any rain field.

# %%
xdownscale.plot.comparison(coarse, ensemble, rain)

# %% [markdown]
# `stamps` shows more members of one step beside the truth. The truth should look like one more member.

# %%
xdownscale.plot.stamps(ensemble, rain, most=5)

# %% [markdown]
# ## Block means are conserved
#
# Averaged over the coarse cells and steps, every member equals the coarse field up to rounding.

# %%
again = ensemble.sr.coarsen(spatial=10, temporal=3)
print(f"largest difference: {float(abs(again - coarse).max()):.1e} mm/h")

# %% [markdown]
# ## A time series at one place
#
# All members are dry until about 13:15 and have rain at 14:30, as in the truth. The members differ in the timing and
# height of the peaks. The observed peaks at 13:30 and 14:00 exceed the range of the members: in one cell of a coarse
# cell, large values are rare, and six members do not sample them.

# %%
xdownscale.plot.series(ensemble, rain, at={"y": 60_500, "x": 60_500})

# %% [markdown]
# ## The same seed gives the same ensemble
#
# The noise of a member depends on the seed, the member and the absolute position only. The first three of six members
# therefore equal an ensemble of three members, bit for bit.

# %%
three = coarse.sr.downscale(spatial=10, temporal=3, members=3, seed=0, progress=False)
print(bool((three == ensemble.isel(member=slice(3))).all()))
