"""Files that pass a CF checker: results keep a clean file clean, and pyproj reads their grid mapping."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.small_models import model
from tests.support import rain

MODEL = model()
STEP = np.timedelta64(300, "s")
LAMBERT = {
    "grid_mapping_name": "lambert_conformal_conic",
    "standard_parallel": [45.0, 55.0],
    "longitude_of_central_meridian": 5.0,
    "latitude_of_projection_origin": 50.0,
    "semi_major_axis": 6378137.0,
    "inverse_flattening": 298.257223563,
    "false_easting": 0.0,
    "false_northing": 0.0,
}
GLOBAL = {
    "Conventions": "CF-1.10",
    "title": "Rain",
    "institution": "none",
    "source": "random numbers",
    "history": "2026-01-01T00:00:00Z: made",
    "references": "none",
    "comment": "none",
}


@pytest.fixture(scope="module")
def problems():
    """A function that writes a Dataset and returns what the checker has to say: by section."""
    suite = pytest.importorskip("compliance_checker.suite").CheckSuite
    suite.load_all_available_checkers()

    def check(dataset, folder):
        dataset.to_netcdf(folder / "result.nc")
        run = suite()
        opened = run.load_dataset(str(folder / "result.nc"))
        groups, broken = run.run_all(opened, ["cf:1.10"])["cf:1.10"]
        opened.close()
        assert not broken
        failed = [group for group in groups if group.value[0] < group.value[1]]
        return [f"{group.name}: {message}" for group in failed for message in group.msgs]

    return check


def whole(field):
    """A Dataset as CF wants it, with bounds and grid mapping."""
    for dim, axis in {"y": "Y", "x": "X"}.items():
        if dim in field.coords:
            field[dim].attrs["axis"] = axis
    field["time"].attrs["long_name"] = "start of the step"
    dataset = field.assign_attrs(cell_methods="time: mean").to_dataset()
    dataset["time_bnds"] = (("time", "bnds"), np.stack([field.time, field.time + STEP], axis=1))
    dataset["time"].attrs["bounds"] = "time_bnds"
    dataset["time"].encoding["units"] = dataset["time_bnds"].encoding["units"] = "seconds since 1970-01-01"
    return dataset.assign_attrs(GLOBAL)


def projected():
    """Rain on a projected grid."""
    dataset = whole(rain((6, 8, 12)).assign_attrs(grid_mapping="crs"))
    dataset["crs"] = ((), 0, LAMBERT)
    return dataset


def sphere():
    """Rain on latitude and longitude."""
    field = rain((6, 8, 12)).rename(y="lat", x="lon")
    lat, lon = 60.0 + 0.01 * np.arange(8), 5.0 + 0.01 * np.arange(12)
    return whole(
        field.assign_coords(
            lat=("lat", lat, {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"}),
            lon=("lon", lon, {"standard_name": "longitude", "units": "degrees_east", "axis": "X"}),
        )
    )


def curvilinear():
    """Rain on two-dimensional latitude and longitude, beside labels in metres."""
    field = rain((6, 8, 12))
    lat, lon = np.meshgrid(60.0 + 0.01 * np.arange(8), 5.0 + 0.01 * np.arange(12), indexing="ij")
    return whole(
        field.assign_coords(
            lat=(("y", "x"), lat, {"standard_name": "latitude", "units": "degrees_north"}),
            lon=(("y", "x"), lon, {"standard_name": "longitude", "units": "degrees_east"}),
        )
    )


INPUTS = {"projected": projected, "sphere": sphere, "curvilinear": curvilinear}
VERBS = {
    "coarsen": lambda d: xdownscale.coarsen(d, 4, 3),
    "coarsen in space": lambda d: xdownscale.coarsen(d, 4),
    "interpolate": lambda d: xdownscale.interpolate(d, 2, 3),
    "downscale": lambda d: xdownscale.downscale(xdownscale.coarsen(d, 4, 3), MODEL, members=2),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", INPUTS)
def test_a_clean_file_stays_clean(kind, verb, problems, tmp_path):
    assert problems(VERBS[verb](INPUTS[kind]()), tmp_path) == []


def test_the_checker_would_complain(problems, tmp_path):
    coarse = xdownscale.coarsen(projected(), 4, 3)
    coarse["rain"].attrs["cell_methods"] = "nowhere: mean"
    coarse["rain"].attrs["units"] = "buckets"
    found = " ".join(problems(coarse, tmp_path))
    assert "nowhere" in found
    assert "buckets" in found


@pytest.mark.parametrize("decode", ["all", True])
def test_the_grid_mapping_is_read_by_pyproj_and_back_from_the_file(decode, tmp_path):
    pyproj = pytest.importorskip("pyproj")
    projected().to_netcdf(tmp_path / "fine.nc")
    with xr.open_dataset(tmp_path / "fine.nc", decode_coords=decode) as fine:
        coarse = xdownscale.coarsen(fine, 4, 3).load()
    ensemble = xdownscale.downscale(coarse, MODEL)
    expected = pyproj.CRS.from_cf(LAMBERT)
    for result in (coarse, xdownscale.interpolate(coarse, 4, 3), ensemble):
        result.to_netcdf(tmp_path / "result.nc")
        with xr.open_dataset(tmp_path / "result.nc", decode_coords="all") as read:
            mapping = read[read["rain"].encoding["grid_mapping"]]
            assert pyproj.CRS.from_cf(mapping.attrs) == expected
            assert read["rain"].cf.grid_mapping_names == {"lambert_conformal_conic": ["crs"]}
            assert (
                "coordinates" not in read["rain"].encoding
                or "crs" not in read["rain"].encoding["coordinates"]
            )


def test_the_grid_mapping_is_read_by_rioxarray():
    pytest.importorskip("rioxarray", reason="rioxarray is not installed")
    coarse = xdownscale.coarsen(projected(), 4, 3)["rain"].rename(time="band")
    assert coarse.rio.crs.to_dict()["proj"] == "lcc"
    assert coarse.rio.transform().a == 4000.0


@pytest.mark.filterwarnings("ignore")  # of the libraries that draw
def test_an_ensemble_is_drawn_by_hvplot():
    pytest.importorskip("hvplot.xarray", reason="hvplot is not installed")
    field = rain((3, 5, 4), step=15, spacing=4000.0)
    ensemble = xdownscale.downscale(field, MODEL, members=2)
    picture = ensemble.hvplot.image(x="x", y="y", dynamic=False)
    assert [str(key) for key in picture.kdims] == ["member", "time"]
    assert len(picture) == ensemble.sizes["member"] * ensemble.sizes["time"]
    first = picture.last
    assert [str(key) for key in first.kdims] == ["x", "y"]
    np.testing.assert_allclose(first.dimension_values("rain", flat=False), ensemble[-1, -1].sortby("y"))
