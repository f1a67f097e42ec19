# %% [markdown]
# # A long series on little memory
#
# A field in chunks gives a lazy result. It is written to zarr region by region, and an interrupted run is taken up
# where it stopped. Chunks and tiles do not change the values.

# %%
import tempfile
from pathlib import Path

import dask
import xarray as xr

import xdownscale

folder = Path(tempfile.mkdtemp())
rain = xdownscale.tutorial.rain((72, 120, 120), seed=6)
rain.sr.coarsen(spatial=10, temporal=3).to_dataset(name="rain").to_zarr(
    folder / "coarse.zarr", consolidated=False
)

# %% [markdown]
# ## What it will take
#
# `plan` counts passes, memory and bytes, and times one small pass on this machine. Nothing of the field is computed.

# %%
coarse = xr.open_zarr(folder / "coarse.zarr", consolidated=False).rain.chunk(time=4)
print(coarse.sr.plan(spatial=10, temporal=3, members=4))

# %% [markdown]
# ## An interruption
#
# `tile` is the largest part, in coarse frames and cells, that is computed at once; here it makes three regions. The
# first run is stopped on the way, as a batch system does at its time limit.

# %%
ensemble = coarse.sr.downscale(spatial=10, temporal=3, members=4, tile=(8, 12, 12))


class Limit(dask.callbacks.Callback):
    """Stop after so many tasks of dask."""

    def __init__(self, most):
        super().__init__()
        self.left = most

    def _posttask(self, *_):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


stopped = False
try:
    with Limit(15):
        ensemble.sr.to_zarr(folder / "ensemble.zarr", resume=True, progress=False)
except KeyboardInterrupt:
    stopped = True
print("stopped:", sorted(path.name for path in folder.iterdir()))

# %% [markdown]
# ## Go on
#
# The same line again keeps the regions that are there, and computes the others. The store opens once it is whole.

# %%
ensemble.sr.to_zarr(folder / "ensemble.zarr", resume=True, progress=False)
stored = xr.open_zarr(folder / "ensemble.zarr").rain.load()
print("finished:", sorted(path.name for path in folder.iterdir()))

# %% [markdown]
# ## The same values
#
# In memory and in one piece the call gives the same members.

# %%
whole = coarse.compute().sr.downscale(spatial=10, temporal=3, members=4, progress=False)
print(f"largest difference: {float(abs(stored - whole).max()):.1e} mm/h")

# %%
xdownscale.plot.series(stored, rain)

# %% [markdown]
# ## Score it in parts
#
# `accumulate` keeps sums instead of fields, so that a year can be scored as it streams by.

# %%
sums = xdownscale.metrics.accumulate(
    rain, stored, metrics=["crps_ensemble", "mae", "spread_skill_ratio"], times=12
)
sums.scores()
