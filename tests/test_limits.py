"""Relative humidity, wind speed and radiation keep their limits and their block means, on every grid."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.small_models import model
from xdownscale.models.document import Variable
from xdownscale.models.downscaler import Downscaler
from xdownscale.models.transform import Bounded

FIELDS = {
    "hurs": ("%", "relative_humidity", Bounded(60.0, 30.0, 0.0, 100.0)),
    "sfcWind": ("m s-1", "wind_speed", Bounded(4.0, 3.0)),
    "rsds": ("W m-2", "surface_downwelling_shortwave_flux_in_air", Bounded(200.0, 250.0)),
}


def limited(name):
    """A generator with random weights for a variable with limits."""
    units, standard_name, transform = FIELDS[name]
    plain = model(rain=False)
    method = plain.method
    method.settings = replace(method.settings, transforms=(transform,))
    variable = Variable(name, units, standard_name)
    return Downscaler(method, variables=[variable], provenance=plain.provenance, name="limited")


def coarse(name, *, latlon):
    """Block means from limit to limit."""
    units, standard_name, transform = FIELDS[name]
    top = 12.0 if name == "sfcWind" else 900.0 if transform.high is None else transform.high
    values = top * np.random.default_rng(0).beta(0.4, 0.4, (4, 8, 9))
    values[0, :3], values[1, 3:5] = 0.0, top
    ys = ("lat", 58.0 - np.arange(8.0), {"units": "degrees_north"}) if latlon else ("y", 4e3 * np.arange(8.0))
    xs = ("lon", np.arange(9.0), {"units": "degrees_east"}) if latlon else ("x", 4e3 * np.arange(9.0))
    time = np.datetime64("2020-01-01", "ns") + np.arange(4) * np.timedelta64(15, "m")
    return xr.DataArray(
        values, dims=("time", ys[0], xs[0]), coords={"time": time, ys[0]: ys, xs[0]: xs}, name=name,
        attrs={"units": units, "standard_name": standard_name},
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:this asks for")
@pytest.mark.parametrize("lazy", [False, True], ids=["in memory", "lazy"])
@pytest.mark.parametrize("latlon", [False, True], ids=["projected", "latlon"])
@pytest.mark.parametrize("name", FIELDS)
def test_members_keep_limits_and_block_means(name, latlon, lazy):
    low = coarse(name, latlon=latlon)
    fine = (low.chunk(time=2) if lazy else low).sr.downscale(limited(name), members=2).load()
    bottom, top = FIELDS[name][2].limits
    slack = 1e-4 * float(low.max())
    assert float(fine.min()) >= bottom - slack
    if top is not None:
        assert float(fine.max()) <= top + slack
    back = fine.astype(float).sr.coarsen(4, 3).transpose("member", *low.dims).values
    np.testing.assert_allclose(back, np.broadcast_to(low, back.shape), atol=2e-5 * float(low.max()))
    night = fine.values[:, :3, :12]
    assert np.abs(night).max() <= slack


def test_training_takes_the_limits_from_the_quantity_and_the_model_says_them():
    wind = np.hypot(*(xdownscale.tutorial.weather((4, 64, 64))[n] for n in ("uas", "vas")))
    wind = wind.rename("sfcWind").assign_attrs(units="m s-1", standard_name="wind_speed")
    trained = xdownscale.train(wind, 4, recipe="small", steps=1, validation=0, progress=False)
    assert trained.method.settings.transforms[0].limits == (0.0, None)
    assert "within 0 and any" in repr(trained)
    assert float(wind.sr.coarsen(4).sr.downscale(trained, members=2).min()) >= -1e-4
