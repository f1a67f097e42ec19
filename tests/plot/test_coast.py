"""Coastlines where cartopy's files are: in place on every grid, and never downloaded."""

import numpy as np
import pytest
import xarray as xr

import xdownscale.plot
from xdownscale.field.axes import find_axes
from xdownscale.plot.coast import coastlines

pytest.importorskip("matplotlib", reason="pictures need matplotlib")
cartopy = pytest.importorskip("cartopy", reason="coastlines need cartopy")

ISLAND = np.array([[8.0, 46.0], [9.0, 46.0], [9.0, 47.0], [8.0, 46.0]])
"""Longitude and latitude."""


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A world whose one coast is that of an island, as cartopy stores it."""
    shapefile = pytest.importorskip("shapefile")
    folder = tmp_path / "shapefiles" / "natural_earth" / "physical"
    folder.mkdir(parents=True)
    with shapefile.Writer(str(folder / "ne_50m_coastline.shp")) as file:
        file.field("name", "C")
        file.line([ISLAND.tolist(), (ISLAND + 100).tolist()])
        file.record("island")
    monkeypatch.setitem(cartopy.config, "pre_existing_data_dir", tmp_path)
    monkeypatch.setitem(cartopy.config, "data_dir", tmp_path)


@pytest.fixture
def nothing(tmp_path, monkeypatch):
    monkeypatch.setitem(cartopy.config, "pre_existing_data_dir", "")
    monkeypatch.setitem(cartopy.config, "data_dir", tmp_path)


def degrees(longitude, latitude):
    values = np.zeros((len(latitude), len(longitude)))
    coords = {
        "lat": ("lat", latitude, {"units": "degrees_north", "standard_name": "latitude"}),
        "lon": ("lon", longitude, {"units": "degrees_east", "standard_name": "longitude"}),
    }
    return xr.DataArray(values, coords, ("lat", "lon"))


def lines(field, extent=(4.0, 2.0)):
    return coastlines(field, find_axes(field), extent)


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("turn", [0, 360])
@pytest.mark.parametrize("way", [1, -1])
def test_a_coast_lies_where_its_degrees_are(turn, way):
    field = degrees(np.arange(7.5, 11) + turn, np.arange(45.5, 47)[::way])  # 7 to 11 E, 45 to 47 N
    (line,) = lines(field)
    np.testing.assert_allclose(line, ISLAND - (7, 45), atol=1e-9)


@pytest.mark.usefixtures("world")
def test_a_coast_lies_where_its_projection_puts_it():
    pyproj = pytest.importorskip("pyproj")
    zone = pyproj.CRS("EPSG:32632")
    expected = np.stack(pyproj.Transformer.from_crs(4326, zone, always_xy=True).transform(*ISLAND.T), 1)
    x, y = 300_000 + 1000 * np.arange(400.0), 5_000_000 + 1000 * np.arange(300.0)
    for scale, units in ((1, "m"), (1e-3, "km")):
        coords = {"y": ("y", y * scale, {"units": units}), "x": ("x", x * scale, {"units": units})}
        field = xr.DataArray(np.zeros((300, 400)), coords, ("y", "x")).assign_coords(
            crs=((), 0, zone.to_cf())
        )
        (line,) = lines(field, (400.0, 300.0))
        np.testing.assert_allclose(line, (expected - (299_500, 4_999_500)) / 1000, atol=1e-6)


@pytest.mark.usefixtures("world")
def test_a_field_of_nowhere_has_no_coast():
    assert lines(xr.DataArray(np.zeros((4, 4)), dims=("y", "x"))) == ()
    assert lines(degrees(np.arange(50.0, 54), np.arange(0.0, 2))) == ()


@pytest.mark.usefixtures("nothing")
def test_without_files_there_is_no_coast_and_no_download():
    assert lines(degrees(np.arange(7.5, 11), np.arange(45.5, 47))) == ()


@pytest.mark.usefixtures("world")
def test_panels_show_the_coast_and_keep_their_edges():
    field = degrees(np.arange(7.5, 11), np.arange(45.5, 47)).expand_dims(member=2)
    figure = xdownscale.plot.stamps(field)
    panel = figure.axes[0]
    assert len(panel.collections) == 1
    assert panel.get_xlim()[0] == 0
    assert panel.get_xlim()[1] == panel.images[0].get_extent()[1]
