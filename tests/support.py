"""Fields and helpers that several tests share."""

from __future__ import annotations

import contextlib

import dask
import numpy as np
import xarray as xr


@contextlib.contextmanager
def raise_if_dask_computes():
    """Fail as soon as anything is computed inside the block."""

    def scheduler(graph, keys, **kwargs):
        msg = "something was computed"
        raise AssertionError(msg)

    with dask.config.set(scheduler=scheduler):
        yield


def rain(shape=(6, 20, 30), *, seed=0, dims=("time", "y", "x"), step=5, spacing=1000.0, dtype=float):
    """Rain on a projected grid: y descending, x ascending, times at the start of their step."""
    values = np.random.default_rng(seed).gamma(0.3, 4.0, shape).astype(dtype)
    time, y, x = dims
    offsets = np.arange(shape[0]) * np.timedelta64(step, "m")
    north, east = ({"standard_name": f"projection_{axis}_coordinate", "units": "m"} for axis in "yx")
    return xr.DataArray(
        values,
        dims=dims,
        coords={
            time: (
                time,
                np.datetime64("2020-07-01T12:00", "ns") + offsets,
                {"standard_name": "time", "axis": "T"},
            ),
            y: (
                y,
                50_500.0 - spacing * np.arange(shape[1]),
                north,
            ),
            x: (
                x,
                -3_500.0 + spacing * np.arange(shape[2]),
                east,
            ),
        },
        name="rain",
        attrs={"units": "mm h-1", "standard_name": "rainfall_rate"},
    )


def globe(shape=(18, 36), *, descending=False, dtype=np.float64):
    """A smooth field on a global latitude-longitude grid."""
    rows, columns = shape
    lat = (np.arange(rows) + 0.5) * (180 / rows) - 90
    lon = (np.arange(columns) + 0.5) * (360 / columns)
    values = 280 + 20 * np.cos(np.deg2rad(lat))[:, None] * np.cos(np.deg2rad(lon))
    field = xr.DataArray(
        values,
        dims=("lat", "lon"),
        coords={
            "lat": ("lat", lat.astype(dtype), {"standard_name": "latitude", "units": "degrees_north"}),
            "lon": ("lon", lon.astype(dtype), {"standard_name": "longitude", "units": "degrees_east"}),
        },
        name="tas",
        attrs={"units": "K"},
    )
    return field.isel(lat=slice(None, None, -1)) if descending else field


def weather(shape=(3, 6, 7), *, seed=0, step=15, spacing=4000.0):
    """Coarse rain, temperature, humidity and pressure on one projected grid, as :func:`rain` makes it."""
    first = rain(shape, seed=seed, step=step, spacing=spacing)
    random = np.random.default_rng([seed, 1])
    made = {
        "tas": (280 + 5 * random.normal(size=shape), "K", "air_temperature"),
        "hurs": (100 * random.beta(0.5, 0.5, shape), "%", "relative_humidity"),
        "psl": (1e5 + 500 * random.normal(size=shape), "Pa", "air_pressure_at_mean_sea_level"),
    }
    others = {
        name: first.copy(data=values).drop_attrs(deep=False).assign_attrs(units=units, standard_name=standard)
        for name, (values, units, standard) in made.items()
    }
    return xr.Dataset({"pr": first, **others})
