"""Predictors to learn with: on the fine grid, on the coarse one, and windows that begin where coarse cells do."""

import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.small_models import SIZE
from tests.support import weather
from xdownscale.errors import ArgumentError, DimensionError, EmptyFieldError, QuantityError
from xdownscale.field.factors import Factors
from xdownscale.models.recipe import Recipe
from xdownscale.models.schedule import Schedule
from xdownscale.training import patches
from xdownscale.training.data import gather
from xdownscale.training.patches import PatchSampler

FACTORS = Factors(4, 4, 2)
RECIPE = Recipe(cells=3, frames=2, size=SIZE, schedule=Schedule(steps=1, batch=2, validation=2))


@pytest.fixture
def fine():
    """Twelve steps of 24 by 28 cells."""
    return weather((12, 24, 28), step=5, spacing=1000.0)


def gathered(field, predictors=None, *, factors=FACTORS, validation=0.0, **options):
    missing = dict.fromkeys(("targets", "vectors", "styles", "static", "dims"))
    return gather(field, validation, factors=factors, frames=2, predictors=predictors, **(missing | options))


def block_means(values):
    """Over blocks of the factors, of (time, y, x)."""
    t, y, x = (n // b for n, b in zip(values.shape, FACTORS.blocks, strict=True))
    cut = values[: 2 * t, : 4 * y, : 4 * x].astype(float)
    return cut.reshape(t, 2, y, 4, x, 4).mean((1, 3, 5))


def test_a_predictor_on_the_fine_grid_is_beside_the_targets(fine):
    for given in (fine[["psl"]], fine.psl, {"psl": fine.psl}, ["psl"]):
        named = isinstance(given, list)
        field, targets = (fine, ["tas", "hurs"]) if named else (fine[["tas", "hurs"]], None)
        (source,) = gathered(field, given, targets=targets).sources
        wanted = np.stack([fine[name].values for name in ("tas", "hurs", "psl")], axis=1)
        np.testing.assert_array_equal(source.values, wanted.astype("f4"))
        assert not source.aligned


COARSE = {
    "as it is": lambda p: p,
    "rows the other way round": lambda p: p[:, ::-1],
    "more cells and steps": lambda p: p.pad(y=(1, 2), x=(0, 1), mode="edge").assign_coords(
        y=p.y[0].item() + 4000.0 - 4000.0 * np.arange(p.sizes["y"] + 3),
        x=p.x[0].item() + 4000.0 * np.arange(p.sizes["x"] + 1),
    ),
    "single precision": lambda p: p.assign_coords(y=p.y.astype("f4"), x=p.x.astype("f4")).astype("f4"),
    "lazy": lambda p: p.chunk(time=1),
}


@pytest.mark.parametrize("what", COARSE)
def test_a_coarse_predictor_is_repeated_so_that_its_block_means_are_what_it_says(what, fine):
    coarse = fine.psl.sr.coarsen(4, 2)
    (source,) = gathered(fine[["tas"]], COARSE[what](coarse)).sources
    assert source.aligned
    np.testing.assert_allclose(block_means(source.values[:, 1]), coarse.values, rtol=1e-6)


def test_a_coarse_predictor_of_a_field_that_has_no_whole_number_of_cells(fine):
    field = fine.isel(time=slice(0, 11), y=slice(0, 22), x=slice(0, 27))
    coarse = field.psl.sr.coarsen(4, 2, boundary="trim")
    (source,) = gathered(field[["tas"]], coarse).sources
    assert source.values.shape == (11, 2, 22, 27)
    np.testing.assert_allclose(block_means(source.values[:, 1]), coarse.values, rtol=1e-6)


def test_windows_begin_at_whole_cells_where_a_predictor_is_coarse(fine, monkeypatch):
    monkeypatch.setattr(patches, "MASKED", 0.0)
    coarse = fine.psl.sr.coarsen(4, 2)
    for given, aligned in ((coarse, True), (fine.psl, False)):
        data = gathered(fine[["tas"]], given)
        sampler = PatchSampler(data.sources, blocks=FACTORS.blocks, cells=3, frames=2, targets=1, wet=None)
        windows = np.concatenate([sampler.batch(step, 4).fine[:, :, 1] for step in range(20)])
        blocks = windows.reshape(-1, 2, 2, 3, 4, 3, 4)
        level = np.ptp(blocks, axis=(2, 4, 6)).max()
        assert bool(level == 0) is aligned
        starts = np.array([patch[1:] for patch in sampler.patches])
        assert (starts % FACTORS.blocks == 0).all() or not aligned


def test_predictors_are_standardised_and_named_in_order(fine):
    data = gathered(fine[["tas"]], fine[["psl", "hurs"]])
    assert [each.name for each in data.predictors] == ["psl", "hurs"]
    for covariate in data.predictors:
        assert covariate.mean == pytest.approx(float(fine[covariate.name].mean()), rel=1e-6)
        assert covariate.scale == pytest.approx(float(fine[covariate.name].std()), rel=1e-4)


def test_every_event_has_its_own_and_other_units_become_those_of_the_first(fine):
    second = fine.assign(psl=(fine.psl / 100).assign_attrs(fine.psl.attrs | {"units": "hPa"}))
    data = gathered([fine, second], ["psl"], targets=["tas"])
    first, other = (source.values[:, 1] for source in data.sources)
    np.testing.assert_allclose(other, first, rtol=1e-6)


WRONG = {
    "no such name": (["slp"], DimensionError, r"has no \['slp'\].*predictors=dataset"),
    "a word": ("psl", DimensionError, r'as in predictors=\["psl", "hurs"\]'),
    "a number": (3, DimensionError, r'as in predictors=\["psl", "hurs"\]'),
    "other cells": (
        lambda d: d.psl.assign_coords(x=d.x + 500.0),
        DimensionError,
        r"'psl' does not lie on the cells of the field along 'x'",
    ),
    "other steps": (lambda d: d.psl.isel(time=slice(0, 5)), DimensionError, "along 'time'"),
    "levels": (lambda d: d.psl.expand_dims(level=2), DimensionError, r"psl.isel\(level=0\)"),
    "no value": (lambda d: d.psl * np.nan, EmptyFieldError, "'psl' has no value"),
    "no times": (lambda d: d.psl[0].drop_vars("time"), DimensionError, r"psl.expand_dims\(time=field.time\)"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_missing_or_wrong_names_itself(what, fine):
    given, error, said = WRONG[what]
    with pytest.raises(error, match=said), xr.set_options(keep_attrs=True):
        gathered(fine[["tas", "hurs"]], given(fine) if callable(given) else given)


def test_a_frame_without_time_has_predictors_too(fine):
    frame = fine.isel(time=0, drop=True)
    for given in (frame.psl, frame.psl.sr.coarsen(4)):
        (source,) = gathered(frame[["tas"]], given, factors=Factors(4, 4, 1)).sources
        assert source.values.shape == (1, 2, 24, 28)


def train(field, **options):
    return xdownscale.train(field, 4, 2, **({"recipe": RECIPE, "progress": False, "validation": 0} | options))


def test_trained_on_fine_or_on_coarse_predictors_a_model_is_used_with_coarse_ones(fine, tmp_path):
    coarse = fine.sr.coarsen(4, 2)
    for given in (fine[["psl"]], coarse[["psl"]]):
        model = train(fine[["tas", "hurs"]], predictors=given)
        assert [each.name for each in model.predictors] == ["psl"]
        assert model.predictors[0].units == "Pa"
        again = xdownscale.load(model.save(tmp_path / "m"))
        found = coarse[["tas", "hurs"]].sr.downscale(again, predictors=coarse.psl)
        back = found.astype(float).sr.coarsen(4, 2)
        np.testing.assert_allclose(back.tas[0], coarse.tas, rtol=1e-5)


def test_several_targets_are_learned_with_any_method_resumed_and_taken_up(fine, tmp_path):
    options = {"predictors": ["psl"], "targets": ["tas", "pr"]}
    for method in ("generator", "median", "residual"):
        path = tmp_path / f"{method}.safetensors"
        first = train(fine, method=method, checkpoint=path, **options)
        assert first.targets == ("tas", "pr")
        assert train(fine, method=method, checkpoint=path, **options).sha256 == first.sha256
        drawn = fine.sr.coarsen(4, 2)[["tas", "pr", "psl"]].sr.downscale(first, conserve="cell")
        assert [*drawn.data_vars] == ["tas", "pr"]
        further = train(fine, method=method, model=first, **options)
        assert further.targets == first.targets
        assert further.sha256 != first.sha256
        if method == "residual":
            assert len(first.method.settings.scales) == 2
            assert min(first.method.settings.scales) > 0


def test_a_model_is_no_start_for_other_targets_or_predictors(fine):
    first = train(fine, predictors=["psl"], targets=["tas", "hurs"])
    with pytest.raises(QuantityError, match="'hurs'"):
        train(fine, predictors=["psl"], targets=["hurs", "tas"], model=first)
    with pytest.raises(ArgumentError, match="cannot be the start of"):
        train(fine, predictors=["psl"], targets=["tas"], model=first)
    with pytest.raises(
        ArgumentError, match=r"trained with the predictors \['psl'\], not \[\]. Pass the same"
    ):
        train(fine, targets=["tas", "hurs"], model=first)


def test_a_style_is_fitted_to_several_targets_with_their_predictors(fine):
    first = train(fine, predictors=["psl"], targets=["tas", "hurs"])
    fitted = xdownscale.calibrate(fine, first, predictors=["psl"], steps=1, progress=False)
    assert fitted.style == "calibrated"
    assert fitted.targets == first.targets
    assert fitted.predictors == first.predictors
    names = {name for name, value in fitted.method.state_dict().items() if name != "styles"}
    assert all(
        np.array_equal(fitted.method.state_dict()[name], first.method.state_dict()[name]) for name in names
    )
    with pytest.raises(ArgumentError, match=r"trained with the predictors \['psl'\]"):
        xdownscale.calibrate(fine, first, steps=1, progress=False)


def test_scores_of_every_target_are_told_by_name(fine):
    later = fine.assign_coords(time=fine.time + np.timedelta64(60, "m"))
    field = xr.concat([fine, later], dim="time", combine_attrs="override")
    with pytest.warns(UserWarning, match="(tas|hurs): on held-out data the model loses"):
        model = train(field[["tas", "hurs"]], validation=0.4)
    scores = model.provenance.scores
    assert {"tas.crps", "hurs.crps", "tas.crps_bicubic", "hurs.spread_skill"} <= scores.keys()
    assert not any("." not in name for name in scores)


def test_targets_are_chosen_by_name_and_those_without_time_are_told(fine):
    assert train(fine, targets=["hurs"]).targets == ("hurs",)
    with pytest.raises(
        DimensionError, match=r"targets=\['t2m'\]: the dataset has \['pr', 'tas', 'hurs', 'psl'\]"
    ):
        train(fine, targets=["t2m"])
    with pytest.raises(DimensionError, match=r"the field is a DataArray, 'tas'\. Pass a Dataset"):
        train(fine.tas, targets=["hurs"])
    with pytest.warns(UserWarning, match=r"static=dataset\[\['height'\]\]"):
        model = train(fine[["tas"]].assign(height=fine.psl.isel(time=0, drop=True)))
    assert model.targets == ("tas",)


def test_the_order_of_a_dataset_is_that_of_the_targets_unless_named(fine):

    assert train(fine[["hurs", "tas"]]).targets == ("hurs", "tas")
    assert train(fine, targets=["hurs", "tas"]).targets == ("hurs", "tas")
