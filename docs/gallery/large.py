# %% [markdown]
# # A long series with little memory
#
# The result of a chunked field is lazy. It is written to a zarr store region by region, and an interrupted run is
# resumed where it stopped. Chunks and tiles do not change the values. Writing stores needs zarr: `pip install
# 'xdownscale-sr[zarr]'`.

# %%
import tempfile
from pathlib import Path

import dask
import xarray as xr

import xdownscale

folder = Path(tempfile.mkdtemp())
rain = xdownscale.tutorial.rain((72, 120, 120), seed=6)
archive = rain.sr.coarsen(spatial=10, temporal=3).to_dataset(name="rain")
_ = archive.to_zarr(folder / "coarse.zarr", consolidated=False)

# %% [markdown]
# ## Estimate the cost
#
# `plan` counts network passes, memory and bytes, and times one small pass on this machine. The field itself is not
# computed.

# %%
coarse = xr.open_zarr(folder / "coarse.zarr", consolidated=False).rain.chunk(time=4)
print(coarse.sr.plan(spatial=10, temporal=3, members=4))

# %% [markdown]
# ## An interrupted run
#
# `tile` is the largest part, in coarse steps and cells, that is computed at once; here it gives three regions. A
# callback stops the first run, as a batch system does at its time limit. The records of the unfinished store are in
# `ensemble.zarr.unfinished`.

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
# ## Resume
#
# The same call again verifies and keeps the finished regions, and computes the others. The store can be opened when
# it is complete.

# %%
ensemble.sr.to_zarr(folder / "ensemble.zarr", resume=True, progress=False)
stored = xr.open_zarr(folder / "ensemble.zarr").rain.load()
print("finished:", sorted(path.name for path in folder.iterdir()))

# %% [markdown]
# ## The same values as in memory
#
# Computed in memory and in one piece, the members are bitwise the same: the largest difference is 0.

# %%
whole = coarse.compute().sr.downscale(spatial=10, temporal=3, members=4, progress=False)
print(f"largest difference: {float(abs(stored - whole).max()):.1e} mm/h")

# %% [markdown]
# The mean over the domain follows the truth closely, since the members conserve the coarse field.

# %%
xdownscale.plot.series(stored, rain)

# %% [markdown]
# ## Score in parts
#
# `accumulate` keeps sums instead of fields. A year of data can therefore be scored part by part.

# %%
sums = xdownscale.metrics.accumulate(
    rain, stored, metrics=["crps_ensemble", "mae", "spread_skill_ratio"], times=12
)
sums.scores()
