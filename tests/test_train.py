"""``train``: what it learns from, what it refuses, and the papers of what it returns."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

import xdownscale
from tests.small_models import SIZE, model
from tests.support import rain
from xdownscale.errors import (
    ArgumentError,
    DeviceError,
    DimensionError,
    EmptyFieldError,
    FactorError,
    FileError,
    ModelFileError,
    TimeAxisError,
    UnitsError,
    ValueRangeError,
)
from xdownscale.models.recipe import Recipe
from xdownscale.models.schedule import Schedule
from xdownscale.models.transform import LogRain, Standard

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
        "pit_deviation",
        "spread_skill",
        "lsd_training",
    }
    assert isinstance(model.method.settings.transforms[0], LogRain)


def test_the_same_seed_gives_the_same_weights_and_leaves_global_state_alone(fine):
    np_state = np.random.get_state()[1].copy()
    first, second, other = train(fine), train(fine), train(fine, seed=1)
    assert first.sha256 == second.sha256 != other.sha256
    assert np.array_equal(np_state, np.random.get_state()[1])


def test_rain_in_other_units_is_learned_in_millimetres_an_hour(fine):
    flux = (fine / 3600).assign_attrs(fine.attrs | {"units": "kg m-2 s-1"})
    model = train(flux)
    assert model.variables[0].units == "mm h-1"
    coarse = flux.sr.coarsen(spatial=4, temporal=2)
    assert coarse.sr.downscale(model).attrs["units"] == "kg m-2 s-1"


def test_a_temperature_is_standardised(fine):
    warm = (fine + 280).assign_attrs(units="K", standard_name="air_temperature").rename("tas")
    model = train(warm)
    (transform,) = model.method.settings.transforms
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
        with pytest.raises(ArgumentError, match="one product for each of the 2 fields"):
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


@pytest.mark.parametrize("method", ["generator", "residual"])
def test_a_run_may_go_on_for_longer(fine, tmp_path, method):
    path = tmp_path / "run.safetensors"
    first = train(fine, checkpoint=path, method=method, steps=1)
    longer = train(fine, checkpoint=path, method=method, steps=3)
    assert (first.provenance.steps, longer.provenance.steps) == (1, 3)
    assert longer.sha256 != first.sha256


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"field": lambda f: f * 2}, "other fields"),
        ({"field": lambda f: [f, f]}, "other fields"),
        ({"validation": 0.5}, "other fields, other validation"),
        ({"seed": 9}, "seed 0 in the file, 9 here"),
        ({"recipe": replace(RECIPE, weights=replace(RECIPE.weights, cell=2.0))}, r"other recipe \(weights\)"),
        (
            {"recipe": replace(RECIPE, size=replace(SIZE, width=24))},
            r"other recipe \(size\), other method \(size\)",
        ),
        ({"method": "median"}, "other method"),
        ({"spatial": 2}, r"factors \[2, 4, 4\] in the file, \[2, 2, 2\] here"),
        ({"styles": ["mine"]}, r"other method \(styles\)"),
        ({"model": True}, "other model"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(fine, tmp_path, change, named):
    """With what differs; and both remedies work."""
    path = tmp_path / "run.safetensors"
    first = train(fine, checkpoint=path)
    kept = path.read_bytes()
    if "model" in change:
        change = {"model": first}
    options = {"spatial": 4, "temporal": 2, "recipe": RECIPE, "progress": False, **change}
    field = options.pop("field", lambda f: f)(fine)
    with pytest.raises(ModelFileError, match=named) as refused:
        xdownscale.train(field, checkpoint=path, **options)
    assert "another path" in str(refused.value)
    assert path.read_bytes() == kept
    path.unlink()
    assert xdownscale.train(field, checkpoint=path, **options).provenance.steps == 2


@pytest.mark.parametrize("text", [b"", b"rain", "a model"])
def test_a_file_that_is_no_checkpoint_is_refused(fine, tmp_path, text):
    path = tmp_path / "run.safetensors"
    if text == "a model":
        model().save(path)
    else:
        path.write_bytes(text)
    kept = path.read_bytes()
    with pytest.raises(ModelFileError, match="not the checkpoint of a run"):
        train(fine, checkpoint=path)
    assert path.read_bytes() == kept


def test_a_dataset_with_one_field_is_that_field(fine):
    held_out = fine.isel(time=slice(0, 8))
    dataset = fine.to_dataset().assign(station=("s", [1, 2]))
    ours = train(dataset, validation=held_out.to_dataset())
    assert ours.sha256 == train([fine], validation=held_out).sha256
    both = dataset.assign(other=fine * 2)
    assert train(both).targets == ("rain", "other")
    assert train(both, targets=["rain"], validation=held_out.to_dataset()).sha256 == ours.sha256
    for wrong in ("rain.nc", ["rain.nc"], 3, {"rain": fine}):
        with pytest.raises(DimensionError, match="a field is a DataArray or a Dataset"):
            train(wrong)
        with pytest.raises((DimensionError, ArgumentError), match=r"a field is a DataArray|validation=3"):
            train(fine, validation=wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        *(({"steps": steps}, "steps is a whole number of at least 1") for steps in (-3, 0, 2.5, "2", True)),
        *(({"validation": v}, r"as in validation=0\.1") for v in (1.5, -0.5, 1, float("nan"), True)),
        *(({"seed": seed}, "seed is a whole number") for seed in ("a", 1.5, None, 2**63)),
        *(({"device": device}, 'device="auto"') for device in ("gpu", "meta", 1.5)),
    ],
)
def test_arguments_out_of_range_are_refused_with_what_is_accepted(fine, wrong, said, monkeypatch):
    monkeypatch.setattr("xdownscale.training.data.gather", None)
    if "validation" in wrong:
        monkeypatch.undo()
    with pytest.raises((ArgumentError, DeviceError), match=said):
        train(fine, **wrong)


def test_any_integer_is_a_seed(fine):
    ours, theirs = (train(fine, seed=kind(5), steps=1) for kind in (int, np.uint8))
    assert ours.sha256 == theirs.sha256
    assert type(theirs.provenance.seed) is int
    assert train(fine, seed=-5, steps=1).sha256 != ours.sha256


def test_it_says_how_long_it_will_take_and_how_good_it_is(fine, capsys):
    trained = train(fine, progress=True)
    said = capsys.readouterr().err
    assert "train: 2 steps will take about" in said
    assert "step 1, loss" in said
    assert " left" in said
    assert "nan" not in said
    assert "CRPS [mm h-1]" in said
    assert "bicubic" in said
    assert f"crps {trained.provenance.scores['crps']:.3g} (bicubic" in repr(trained)


def test_a_model_that_loses_is_warned_of(fine, monkeypatch):
    scores = {"crps": 0.2, "crps_bicubic": 0.4, "lsd": 12.0, "lsd_bicubic": 9.0}
    monkeypatch.setattr("xdownscale.heldout.scores_of", lambda *_, **__: scores)
    with pytest.warns(
        UserWarning, match=r"loses to bicubic interpolation: log-spectral distance 12 \(bicubic 9\)"
    ):
        assert train(fine).provenance.scores == scores


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
    with pytest.raises(ArgumentError, match="recipe="):
        train(fine, recipe="huge")
    with pytest.raises(ArgumentError, match="method="):
        train(fine, method="gan")
    with pytest.raises(ArgumentError):
        xdownscale.train(fine, spatial=0)
    with pytest.raises(FactorError, match="Pass one, such as spatial=4"):
        xdownscale.train(fine)


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
    with pytest.raises(ArgumentError, match="cannot be the start"):
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


def test_training_in_threads_gives_the_serial_result(fine):
    serial = [train(fine, seed=seed).sha256 for seed in range(2)]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda seed: train(fine, seed=seed).sha256, range(2))) == serial


def test_torch_state_is_left_alone_and_its_default_precision_changes_nothing(fine):
    wanted = {method: train(fine, method=method).sha256 for method in ("generator", "residual")}
    torch.manual_seed(3)
    before = torch.get_rng_state()
    torch.set_default_dtype(torch.float64)
    try:
        found = {method: train(fine, method=method).sha256 for method in wanted}
    finally:
        torch.set_default_dtype(torch.float32)
    assert found == wanted
    assert torch.equal(torch.get_rng_state(), before)


def test_a_checkpoint_that_cannot_be_written_is_refused_before_training(fine, tmp_path, monkeypatch):
    monkeypatch.setattr("xdownscale.training.fit.fit", lambda *a, **k: pytest.fail("trained"))
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "file" / "below", "/dev/null"):
        with pytest.raises(FileError):
            train(fine, checkpoint=path)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_the_folder_of_a_checkpoint_is_made(fine, tmp_path):
    train(fine, checkpoint=tmp_path / "runs" / "first" / "run.safetensors")
    assert [each.name for each in (tmp_path / "runs" / "first").iterdir()] == ["run.safetensors"]


def test_shapes_in_the_loss_change_what_is_learned_and_are_told(fine):
    losses = {None: "generator", "minkowski": "generator", "mse": "median", "mse+minkowski": "median"}
    models = {loss: train(fine, loss=loss, method=method) for loss, method in losses.items()}
    assert len({model.sha256 for model in models.values()}) == 4
    plain, shaped = (models[loss].provenance.recipe for loss in ("mse", "mse+minkowski"))
    assert plain["squared"]
    assert plain["shapes"] is None
    thresholds = shaped["shapes"]["thresholds"]
    wet = fine.isel(time=slice(0, 22)).values
    assert len(thresholds) == 21
    assert list(thresholds) == sorted(thresholds)
    assert wet[wet > 0.1].min() <= thresholds[0] <= thresholds[-1] <= wet.max()


def test_a_residual_learns_its_mean_by_the_loss(fine):
    plain, squared = (train(fine, method="residual", loss=loss) for loss in (None, "mse+minkowski"))
    ours, theirs = (model.method.mean.state_dict() for model in (plain, squared))
    assert any(not torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_squared_error_of_members_is_refused_before_fields_are_read(fine):
    with pytest.raises(ArgumentError, match="alike"):
        train(fine, loss="mse")
