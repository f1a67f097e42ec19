"""The verbs compare what is measured, and accept what they have learned."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.small_models import model
from tests.support import rain
from xdownscale.cli import main
from xdownscale.errors import DimensionError, QuantityError
from xdownscale.field.factors import Factors
from xdownscale.models.document import Variable
from xdownscale.models.downscaler import Downscaler
from xdownscale.training.data import gather

FAST = {"recipe": "small", "steps": 1, "progress": False, "validation": 0}

GATHERED = {"factors": Factors(4, 4, 3), "frames": 1} | dict.fromkeys(
    ("targets", "predictors", "vectors", "styles", "static", "dims")
)


def coarse_rain():
    """Rain on the coarse grid of the test models."""
    return rain((6, 8, 12), spacing=4000.0, step=15)


def other(name, units, standard_name=None, *, like=None, **attrs):
    """A smooth field of another quantity on the grid of rain."""
    field = coarse_rain() if like is None else like
    values = 280 + np.random.default_rng(1).normal(size=field.shape).cumsum(-1) / 9
    said = {} if standard_name is None else {"standard_name": standard_name}
    return (
        field.copy(data=values).rename(name).drop_attrs(deep=False).assign_attrs(units=units, **said, **attrs)
    )


def of(variable, blocks=(3, 4, 4), *, rainy=False):
    """A model of another variable."""
    plain = model(blocks, rain=rainy)
    return Downscaler(plain.method, variables=[variable], provenance=plain.provenance, name="test")


def test_wind_does_not_go_through_rain_weights_nor_rain_through_a_wind_model():
    wind = other("sfcWind", "m s-1", "wind_speed")
    with pytest.raises(QuantityError, match=r"'sfcWind' \(wind_speed in m s-1\).*rainfall_rate"):
        wind.sr.downscale(model())
    with pytest.raises(QuantityError, match="rain"):
        other("sfcWind", "m s-1").sr.downscale(model())
    with pytest.raises(QuantityError, match="wind_speed"):
        coarse_rain().sr.downscale(of(Variable("sfcWind", "m s-1", "wind_speed")))
    unnamed = (coarse_rain() / 3.6e6).rename("x").drop_attrs(deep=False).assign_attrs(units="m s-1")
    with pytest.raises(QuantityError, match="standard_name='rainfall_rate'"):
        unnamed.sr.downscale(model())
    unnamed.assign_attrs(standard_name="rainfall_rate").sr.downscale(model())


@pytest.mark.parametrize(
    ("units", "name"),
    [
        ("m", "sea_surface_height_above_geoid"),
        ("m", "geopotential_height"),
        ("kg m-2", "atmosphere_mass_content_of_water_vapor"),
        ("m", "atmosphere_boundary_layer_thickness"),
        ("kg m-2", "surface_snow_amount"),
        ("m of water equivalent", "lwe_thickness_of_surface_snow_amount"),
    ],
)
def test_states_in_units_of_water_are_states(units, name):
    field = other("x", units, name)
    for blocks in ((3, 4, 4), (1, 4, 4)):
        fine = field.sr.downscale(of(Variable("x", units, name), blocks))
        again = fine.astype(float).sr.coarsen(blocks[1:], blocks[0])[0]
        np.testing.assert_allclose(again, field, rtol=1e-6)
    (event,) = gather(field, 0.0, **GATHERED).events
    assert event.targets[0].attrs["units"] == units


@pytest.mark.parametrize("blocks", [(3, 4, 4), (1, 4, 4)])
def test_rain_amounts_are_refined_in_space_and_time(blocks):
    field = coarse_rain().assign_attrs(
        units="mm", standard_name="precipitation_amount", cell_methods="time: sum"
    )
    fine = field.sr.downscale(model(blocks))
    assert fine.attrs["units"] == "mm"
    np.testing.assert_allclose(fine.astype(float).sr.coarsen(4, blocks[0])[0], field, rtol=1e-5)
    hours = field.copy(data=field.values * 4).assign_attrs(units="mm h-1", cell_methods="time: mean")
    np.testing.assert_allclose(fine * 4 * blocks[0], hours.sr.downscale(model(blocks)), rtol=1e-4, atol=1e-5)


def test_other_amounts_are_shared_out_over_the_steps():
    name = "water_evapotranspiration_amount"
    amount = other("e", "mm", name, cell_methods="time: sum")
    chosen = of(Variable("e", "mm", name, "time: sum"))
    fine = amount.sr.downscale(chosen)
    np.testing.assert_allclose(fine.astype(float).sr.coarsen(4, 3)[0], amount, rtol=1e-6)
    rate = amount.copy(data=amount.values * 4).assign_attrs(units="mm h-1", cell_methods="time: mean")
    np.testing.assert_allclose(rate.sr.downscale(chosen), fine * 4 * 3, rtol=1e-5)


def test_fields_to_learn_from_measure_the_same_in_the_same_units():
    tas, uas = other("tas", "K", "air_temperature"), other("uas", "m s-1", "eastward_wind")
    with pytest.raises(QuantityError, match=r"'uas'.*'tas'"):
        xdownscale.train([tas, uas], 2, **FAST)
    with pytest.raises(QuantityError, match="field of validation 'psl'"):
        xdownscale.train(tas, 2, **FAST | {"validation": other("psl", "Pa")})
    celsius = (tas - 273.15).assign_attrs(units="degC", standard_name="air_temperature")
    data = gather([tas, celsius], celsius, **GATHERED)
    for values in (data.events[1].targets[0].values, data.held_out[0].values[:, 0]):
        np.testing.assert_allclose(values, tas, rtol=1e-6)
    with pytest.raises(QuantityError, match=r"'tas'.*rainfall_rate"):
        xdownscale.train(tas, 4, 3, model=model(), **FAST)
    with pytest.raises(QuantityError, match=r"'tas'.*rainfall_rate"):
        xdownscale.calibrate(tas, model(), progress=False)


def test_what_has_no_mean_is_not_learned():
    total = rain((24, 8, 8)).cumsum("time").rename("RAINNC").drop_attrs(deep=False).assign_attrs(units="mm")
    with pytest.raises(QuantityError, match="totals since a start"):
        xdownscale.train(total, 4, **FAST)
    with pytest.raises(QuantityError, match="totals since a start"):
        total.sr.downscale(model((1, 4, 4)))
    with pytest.raises(QuantityError, match="directions"):
        xdownscale.train(other("wd", "degree", "wind_from_direction"), 2, **FAST)


def test_scores_compare_the_same_quantity():
    field = coarse_rain()
    for wind in (other("uas", "mm h-1", "eastward_wind"), other("sfcWind", "m s-1")):
        with pytest.raises(QuantityError, match="the forecast 'rain'"):
            xdownscale.evaluate(wind, field, metrics=["mae"])
        with pytest.raises(QuantityError, match=r"the forecast '(uas|sfcWind)'"):
            xdownscale.metrics.mae(field, wind)
    plain = field.drop_attrs(deep=False).rename(None)
    assert float(xdownscale.evaluate(field, plain, metrics=["mae"])["mae"]) == 0
    flux = (field / 3600).rename("pr").drop_attrs(deep=False)
    flux.attrs |= {"units": "kg m-2 s-1", "standard_name": "precipitation_flux"}
    assert float(xdownscale.evaluate(field, flux, metrics=["mae"])["mae"]) < 1e-9


def test_names_of_dimensions_that_are_not_there_are_refused_of_a_dataset_too():
    dataset = coarse_rain().to_dataset()
    tree = xr.DataTree.from_dict({"/a": dataset})
    for thing in (dataset, tree):
        for dims in ({"y": "south_north"}, {"rows": "y"}):
            for call in (thing.sr.coarsen, thing.sr.interpolate):
                with pytest.raises(DimensionError, match=r"south_north|unknown role"):
                    call(2, dims=dims)
            with pytest.raises(DimensionError, match=r"south_north|unknown role"):
                xdownscale.downscale(thing, model(), dims=dims)
    assert dataset.sr.coarsen(2, dims={"y": "y"})["rain"].shape == (6, 4, 6)


def test_a_model_says_what_it_refines_and_keeps_what_was_said(tmp_path):
    assert "quantity        precipitation, averaged over time: units 'mm h-1' are a rate" in repr(model())
    chosen = of(Variable("x", "mm", None, "time: sum"))
    again = xdownscale.load(chosen.save(tmp_path / "x.safetensors"))
    assert again.quantities == chosen.quantities
    assert again.quantities[0].time == "sum"
    shipped = xdownscale.zoo.load("rain-10x3")
    assert shipped.variables[0].cell_methods is None
    assert shipped.quantities[0].precipitation


def test_the_command_line_compares_too(tmp_path, capsys):
    field, wind = rain((6, 40, 40)), other("sfcWind", "m s-1", "wind_speed", like=rain((6, 40, 40)))
    for each in (field, wind):
        each.to_netcdf(tmp_path / f"{each.name}.nc")
    here, out = str(tmp_path / "sfcWind.nc"), str(tmp_path / "out.nc")
    assert main(["downscale", here, out, "--spatial", "10", "--temporal", "3"]) == 1
    assert "wind_speed" in capsys.readouterr().err
    assert main(["evaluate", here, out, "--observations", str(tmp_path / "rain.nc")]) == 1
    assert "rainfall_rate" in capsys.readouterr().err
    assert main(["coarsen", here, out, "--spatial", "10", "--dims", "y=south_north"]) == 1
    assert "south_north" in capsys.readouterr().err
