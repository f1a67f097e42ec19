"""One number for the noise of all stages but the last."""

import numpy as np
import xarray as xr
from settle_spread import with_gain

import xdownscale


def deviation(model):
    """Of members from each other, for even rain, in quarters of coarse cells."""
    coarse = xr.DataArray(
        np.full((2, 8, 8), 2.0, np.float32),
        dims=("time", "y", "x"),
        coords={"time": np.datetime64("2020-01-01", "ns") + np.arange(2) * np.timedelta64(15, "m")},
        attrs={"units": "mm h-1"},
        name="rain",
    )
    coarse = coarse.assign_coords(y=10.0 * np.arange(8), x=10.0 * np.arange(8))
    coarse.y.attrs["units"] = coarse.x.attrs["units"] = "km"
    members = coarse.sr.downscale(model, members=4, progress=False)
    return float(np.log1p(members.coarsen(y=5, x=5).mean()).std("member").mean())


def test_louder_noise_makes_members_differ_more_and_a_gain_of_one_changes_nothing():
    model = xdownscale.zoo.load("rain-10x3")
    spread = {gain: deviation(with_gain(model, gain)) for gain in (0.5, 1.0, 1.5)}
    assert spread[1.0] == deviation(model)
    assert spread[0.5] < 0.8 * spread[1.0] < 0.8 * spread[1.5]
