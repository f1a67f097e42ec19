"""The generator for every pair of factors and every scale, through every room."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr

import xdownscale
from tests.nn.test_multiscale import fresh
from tests.support import rain
from xdownscale.errors import ArgumentError, ModelFileError
from xdownscale.field.factors import FactorRange, Factors
from xdownscale.models.document import Provenance, Variable
from xdownscale.models.downscaler import Downscaler
from xdownscale.models.scale import Scale


@pytest.fixture(scope="module")
def model():
    return Downscaler(
        fresh(),
        variables=[Variable("rain", "mm h-1", "rainfall_rate")],
        provenance=Provenance(),
        name="general",
    )


def pairs(count):
    """Random factors, unequal ones among them."""
    random = np.random.default_rng(5)
    for number in range(count):
        y, x = (int(np.exp(random.uniform(0, np.log(25.9)))) for _ in range(2))
        yield (y, x if number % 2 else y), int(random.integers(1, 7)) + (y == 1)


@pytest.mark.parametrize(("spatial", "temporal"), pairs(20))
def test_block_means_dry_cells_and_chunks_for_any_factors(model, spatial, temporal):
    temporal = min(temporal, 6)
    coarse = rain((2, 5, 6)).drop_vars(["time", "y", "x"], errors="ignore")
    coarse[:, 1, 2] = 0.0
    told = model.with_scale(km=1.0, minutes=10.0)
    fine = coarse.sr.downscale(told, spatial=spatial, temporal=temporal)
    back = fine.astype(float).sr.coarsen(spatial, temporal)
    np.testing.assert_allclose(back[0], coarse, rtol=1e-4, atol=1e-5)
    assert float(fine.min()) >= 0
    y, x = spatial
    assert not fine[:, :, y : 2 * y, 2 * x : 3 * x].any()
    lazy = coarse.chunk(y=3).sr.downscale(told, spatial=spatial, temporal=temporal, tile=(1, 3, 4))
    np.testing.assert_allclose(lazy, fine, rtol=1e-3, atol=1e-4)


def test_it_is_written_and_gives_the_same_bits(model, tmp_path):
    again = xdownscale.load(model.save(tmp_path / "general.safetensors"))
    assert again.factors == FactorRange((1, 25), (1, 6))
    assert again.sha256 == model.sha256
    assert again.method.settings == model.method.settings
    coarse = coordinates()
    one, other = (each.with_scale(2.0, 15.0) for each in (model, again))
    np.testing.assert_array_equal(
        coarse.sr.downscale(one, spatial=3, temporal=2), coarse.sr.downscale(other, spatial=3, temporal=2)
    )


def coordinates(km=10.0, minutes=15, *, units="km", shape=(2, 6, 6)):
    """A coarse field that tells its scale."""
    field = rain(shape)
    return field.assign_coords(
        time=np.datetime64("2020-01-01", "ns") + np.arange(shape[0]) * np.timedelta64(minutes, "m"),
        y=("y", km * np.arange(shape[1]), {"units": units}),
        x=("x", km * np.arange(shape[2]), {"units": units}),
    )


def test_scale_comes_from_coordinates_and_is_what_with_scale_says(model):
    """Fine cells of 10 km / 5 and steps of 15 minutes / 3, whatever the units of the labels."""
    told = model.with_scale(2.0, 5.0)
    wanted = coordinates(units="1").sr.downscale(told, spatial=5, temporal=3)
    for field in (coordinates(), coordinates(10_000.0, units="m")):
        np.testing.assert_array_equal(field.sr.downscale(model, spatial=5, temporal=3), wanted)
        np.testing.assert_array_equal(
            field.sr.downscale(told.with_scale(7.0, 60.0), spatial=5, temporal=3), wanted
        )
    other = coordinates(20.0).sr.downscale(model, spatial=5, temporal=3)
    assert float(abs(other.values - wanted.values).max()) > 1e-3


def test_a_field_that_does_not_tell_is_refused_with_the_call_that_mends_it(model):
    bare = coordinates().drop_vars(["y", "x"])
    with pytest.raises(
        ArgumentError, match=r"downscale\(field, model.with_scale\(km=1\), spatial=5, temporal=1\)"
    ):
        bare.sr.downscale(model, spatial=5)
    assert bare.sr.downscale(model.with_scale(km=1.0), spatial=5).sizes["y"] == 30
    with pytest.raises(ArgumentError, match="above zero"):
        model.with_scale(km=-1.0)


def test_latitudes_count_with_the_width_of_their_degrees(model):
    """At 60° N a degree of longitude is half as wide: the root of the area is 111.2·√½ km."""
    from xdownscale.field.axes import find_axes
    from xdownscale.field.grid import describe
    from xdownscale.models.scale import scale_of

    field = xr.DataArray(
        np.ones((5, 5)),
        dims=("lat", "lon"),
        coords={
            "lat": ("lat", 59.8 + 0.1 * np.arange(5), {"units": "degrees_north"}),
            "lon": ("lon", 0.1 * np.arange(5), {"units": "degrees_east"}),
        },
    )
    scale = scale_of(describe(field, find_axes(field)), field.coords, Factors.parse(2, 1))
    assert scale.km == pytest.approx(0.1 * 111.2 * np.sqrt(0.5) / 2, rel=1e-3)
    assert scale.minutes is None


def test_beyond_what_was_learned_it_goes_on_and_says_how_far(model):
    with pytest.warns(UserWarning, match=r"fine cells of 20 km, 2.5 times beyond the 1 to 8 km"):
        coordinates(100.0).sr.downscale(model, spatial=5)
    with pytest.warns(UserWarning, match=r"fine steps of 360 minutes, 6 times beyond the 5 to 60 minutes"):
        coordinates(10.0, 720).sr.downscale(model, spatial=5, temporal=2)


def test_factors_outside_of_the_range_are_refused(model):
    with pytest.raises(ArgumentError, match="1 to 25 in space"):
        coordinates().sr.downscale(model, spatial=26)


def test_a_document_with_a_scale_that_there_cannot_be_is_refused(model, tmp_path):
    from xdownscale.models.artefact import write_model

    document = model._document()
    document["settings"]["finest"] = {"km": -1.0, "minutes": 5.0}
    path = write_model(tmp_path / "odd.safetensors", model.method.state_dict(), document)
    with pytest.raises(ModelFileError, match="above zero"):
        xdownscale.load(path)


def test_scales_without_gradients_change_what_they_should(model):
    """The same window, noise and factors: cells of another size give another texture."""
    torch.manual_seed(0)
    one, other = (
        coordinates().drop_vars(["y", "x"]).sr.downscale(model.with_scale(km=km), spatial=4)
        for km in (1.0, 4.0)
    )
    assert float(abs(one - other).max()) > 1e-3
    assert Scale(1.0, None).filled(None) == Scale(1.0)
