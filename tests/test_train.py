"""``train``: what it learns from, what it refuses, and the papers of what it returns."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.models import SIZE
from tests.support import rain
from xdownscale.errors import (
    DimensionError,
    EmptyFieldError,
    FactorError,
    TimeAxisError,
    UnitsError,
    ValueRangeError,
)
from xdownscale.model.recipe import Recipe, Schedule
from xdownscale.model.transform import LogRain, Standard

RECIPE = Recipe(cells=3, frames=2, size=SIZE, schedule=Schedule(steps=2, batch=2, validation=2))


def train(field, **options):
    return xdownscale.train(field, spatial=4, temporal=2, **({"recipe": RECIPE, "progress": False} | options))


@pytest.fixture
def fine():
    return rain((24, 24, 28)).assign_attrs(units="mm h-1", title="noise", licence="none")


def test_a_model_comes_with_its_papers(fine):
    model = train(fine)
    assert model.factors.blocks == (2, 4, 4)
    assert model.provenance.steps == 2
    assert (model.provenance.spacing, model.provenance.spacing_units, model.provenance.step) == (
        1000.0,
        "m",
        300.0,
    )
    assert model.provenance.data[0].startswith("noise: time 24")
    kinds = {"crps", "rmse", "lsd"}
    assert set(model.provenance.scores) == {
        *kinds,
        *(f"{kind}_bicubic" for kind in kinds),
        "spread_skill",
        "lsd_training",
    }
    assert isinstance(model.method.settings.transform, LogRain)


def test_the_same_seed_gives_the_same_weights_and_leaves_global_state_alone(fine):
    np_state = np.random.get_state()[1].copy()
    first, second, other = train(fine), train(fine), train(fine, seed=1)
    assert first.sha256 == second.sha256 != other.sha256
    assert np.array_equal(np_state, np.random.get_state()[1])


def test_rain_in_other_units_is_learned_in_millimetres_an_hour(fine):
    flux = (fine / 3600).assign_attrs(fine.attrs | {"units": "kg m-2 s-1"})
    model = train(flux)
    assert model.variable.units == "mm h-1"
    coarse = flux.sr.coarsen(spatial=4, temporal=2)
    assert coarse.sr.downscale(model).attrs["units"] == "kg m-2 s-1"


def test_a_temperature_is_standardised(fine):
    warm = (fine + 280).assign_attrs(units="K", standard_name="air_temperature").rename("tas")
    model = train(warm)
    transform = model.method.settings.transform
    assert isinstance(transform, Standard)
    assert transform.mean == pytest.approx(float(warm.mean()))
    again = warm.sr.coarsen(spatial=4, temporal=2).sr.downscale(model).sr.coarsen(spatial=4, temporal=2)
    np.testing.assert_allclose(again[0], warm.sr.coarsen(spatial=4, temporal=2), atol=1e-3)


def test_several_events_validation_fields_and_gaps(fine):
    gap = xr.concat([fine.isel(time=slice(0, 8)), fine.isel(time=slice(12, 24))], dim="time")
    assert train([fine, gap]).provenance.steps == 2
    assert train(gap, validation=fine.isel(time=slice(0, 6))).provenance.scores["crps"] > 0
    assert train(fine, validation=0).provenance.scores == {}


def test_a_validation_split_without_rain_is_warned_of(fine):
    half = fine.where(fine.time < fine.time[18], 0.0)
    with pytest.warns(UserWarning, match="validation=another_field"):
        train(half, validation=0.2)


def test_every_field_names_its_product(fine):
    model = train([fine, fine * 2], styles=["one", "other"])
    assert model.styles == ("one", "other")
    assert model.style is None
    for styles in (["one"], "one"):
        with pytest.raises(FactorError, match="one product for each of the 2 fields"):
            train([fine, fine], styles=styles)


def test_static_fields_and_no_time(fine):
    height = fine.isel(time=0, drop=True).rename("height")
    model = train(fine, static=height)
    assert model.static == ("height",)
    frame = fine.isel(time=0, drop=True)
    flat = xdownscale.train(frame, spatial=4, recipe=Recipe(cells=3, frames=1, size=SIZE, schedule=RECIPE.schedule),
                            validation=0, progress=False)  # fmt: skip
    assert flat.factors.blocks == (1, 4, 4)


def test_the_median_net_is_deterministic(fine):
    model = train(fine, method="median")
    ensemble = fine.sr.coarsen(spatial=4, temporal=2).sr.downscale(model, members=2)
    assert not model.stochastic
    np.testing.assert_array_equal(ensemble[0], ensemble[1])


def test_a_checkpoint_is_taken_up(fine, tmp_path):
    path = tmp_path / "run.safetensors"
    first = train(fine, checkpoint=path)
    assert path.exists()
    assert train(fine, checkpoint=path).sha256 == first.sha256


@pytest.mark.parametrize(
    ("change", "error", "fix"),
    [
        (lambda f: f.expand_dims(level=2), DimensionError, r"isel\(level=0\)"),
        (lambda f: f.isel(time=0, drop=True), (DimensionError, TimeAxisError), "time"),
        (lambda f: f.assign_attrs(units="K"), UnitsError, "mm h-1"),
        (lambda f: f.where(f > 1, -1.0), ValueRangeError, r"\.where"),
        (lambda f: f * np.nan, EmptyFieldError, "NaN"),
        (lambda f: f.isel(y=slice(0, 4)), EmptyFieldError, "smaller windows"),
        (lambda f: [], EmptyFieldError, "no field"),
    ],
)
def test_bad_fields_are_refused(fine, change, error, fix):
    with pytest.raises(error, match=fix), xr.set_options(keep_attrs=True):
        train(change(fine))


def test_bad_arguments_are_refused(fine):
    with pytest.raises(FactorError, match="recipe="):
        train(fine, recipe="huge")
    with pytest.raises(FactorError, match="method="):
        train(fine, method="gan")
    with pytest.raises(FactorError):
        xdownscale.train(fine, spatial=0)


def test_weights_of_a_model_are_a_start(fine):
    first = train(fine)
    further = train(fine, model=first, recipe=Recipe(cells=3, frames=2, schedule=RECIPE.schedule))
    assert further.method.settings.size == first.method.settings.size
    moved = [
        float((value - first.method.state_dict()[name]).abs().max())
        for name, value in further.method.state_dict().items()
    ]
    assert 0 < max(moved) < 0.1
    assert first.provenance.recipe["weights"]["late"] > 0
    assert further.provenance.recipe["weights"]["late"] == 0  # it learns on from the whole loss
    median = train(fine, model=first, method="median")
    assert not median.stochastic
    with pytest.raises(FactorError, match="no start"):
        xdownscale.train(fine, spatial=2, temporal=2, model=first, recipe=RECIPE)


def test_given_weights_learn_gently_unless_a_recipe_says_how_fast(fine, monkeypatch):
    first = train(fine)
    monkeypatch.setattr(Recipe, "named", lambda _: RECIPE)
    runs = [train(fine, model=first, recipe="small"), train(fine, model=first), train(fine, recipe="small")]
    rates = [each.provenance.recipe["schedule"]["rate"] for each in runs]
    assert rates == pytest.approx([RECIPE.schedule.rate / 5, RECIPE.schedule.rate, RECIPE.schedule.rate])


def test_a_start_from_before_steps_could_grow_apart_learns_to(fine):
    before = train(fine, recipe=replace(RECIPE, size=replace(SIZE, apart=False)))
    still = replace(RECIPE, schedule=replace(RECIPE.schedule, rate=0.0))
    after = train(fine, model=before, recipe=still)
    assert after.method.settings.size.apart
    assert not before.method.settings.size.apart
    coarse = fine.sr.coarsen(spatial=4, temporal=2)
    ours, theirs = (coarse.sr.downscale(model, members=2, seed=1) for model in (after, before))
    xr.testing.assert_equal(ours, theirs)
