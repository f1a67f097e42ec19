"""Several targets of a Dataset: members drawn jointly, one seed the same bits, and errors that name what is wrong."""

import sys
from collections import Counter

import dask
import numpy as np
import pytest
import torch
import xarray as xr

import xdownscale
from tests.small_models import joint_model
from tests.support import raise_if_dask_computes, weather
from xdownscale.errors import ArgumentError, DimensionError, MissingValueError, QuantityError
from xdownscale.field import grid as grids
from xdownscale.field import times
from xdownscale.inference import domain

TARGETS = ("pr", "tas", "hurs")


@pytest.fixture(scope="module")
def joint():
    return joint_model()


@pytest.fixture(scope="module")
def coarse():
    return weather()


@pytest.fixture(scope="module")
def fine(coarse, joint):
    return coarse.sr.downscale(joint, members=2)


def assert_same_bits(found, wanted):
    assert [*found.data_vars] == [*wanted.data_vars]
    for name in wanted.data_vars:
        np.testing.assert_array_equal(found[name].values, wanted[name].values, err_msg=name)


def test_every_target_keeps_its_block_means_and_its_limits(fine, coarse):
    assert [*fine.data_vars] == [*TARGETS]
    assert dict(fine.sizes) == {"member": 2, "time": 9, "y": 24, "x": 28, "bnds": 2}
    back = fine.astype(float).sr.coarsen(4, 3)
    for name, size in (("pr", 10), ("tas", 280), ("hurs", 100)):
        wanted = np.broadcast_to(coarse[name], back[name].shape)
        np.testing.assert_allclose(back[name], wanted, rtol=1e-5, atol=1e-5 * size)
        assert fine[name].attrs["units"] == coarse[name].attrs["units"]
        assert fine[name].dtype == np.float32
    assert float(fine.pr.min()) == 0
    assert -1e-2 <= float(fine.hurs.min()) <= float(fine.hurs.max()) <= 100.01


@pytest.mark.parametrize("kind", ["median", "residual"])
def test_other_methods_keep_them_too(kind, coarse, tmp_path):
    made = joint_model(("pr", "tas"), kind=kind)
    drawn = coarse[["pr", "tas", "psl"]].sr.downscale(made, members=2, conserve="cell")
    back = drawn.astype(float).sr.coarsen(4, 3)
    for name, size in (("pr", 10), ("tas", 280)):
        wanted = np.broadcast_to(coarse[name], back[name].shape)
        np.testing.assert_allclose(back[name], wanted, rtol=1e-5, atol=1e-5 * size)
    again = xdownscale.load(made.save(tmp_path / "m"))
    assert again.method.kind == kind
    assert_same_bits(coarse[["pr", "tas", "psl"]].sr.downscale(again, members=2, conserve="cell"), drawn)


def test_the_same_bits_in_memory_lazily_in_tiles_after_saving_and_in_any_order(fine, coarse, joint, tmp_path):
    again = xdownscale.load(joint.save(tmp_path / "m"))
    assert (again.sha256, repr(again)) == (joint.sha256, repr(joint))
    assert (again.targets, [each.name for each in again.predictors]) == (TARGETS, ["psl"])
    with raise_if_dask_computes():
        lazy = coarse.chunk(time=2, y=3).sr.downscale(again, members=2)
    assert all(dask.is_dask_collection(each.data) for each in lazy.data_vars.values())
    ways = {
        "lazy": lazy.compute(scheduler="synchronous"),
        "saved": coarse.sr.downscale(again, members=2),
        "in tiles": coarse.sr.downscale(joint, members=2, tile=(1, 3, 4)),
        "dims turned": coarse.transpose("x", "time", "y").sr.downscale(joint, members=2),
        "one of them turned": coarse.assign(tas=coarse.tas.transpose("y", "x", "time")).sr.downscale(
            joint, members=2
        ),
        "single precision of labels": coarse.assign_coords(x=coarse.x.astype("f4")).sr.downscale(
            joint, members=2
        ),
        "predictors apart": coarse[[*TARGETS]].sr.downscale(joint, members=2, predictors=coarse[["psl"]]),
        "a predictor alone": coarse[[*TARGETS]].sr.downscale(joint, members=2, predictors=coarse.psl),
        "predictors by name": coarse[[*TARGETS]].sr.downscale(
            joint, members=2, predictors={"psl": coarse.psl}
        ),
        "fewer members": coarse.sr.downscale(joint, members=1),
    }
    for way, found in ways.items():
        for name in TARGETS:
            values = found[name].transpose("member", "time", "y", "x").values
            np.testing.assert_array_equal(values, fine[name].values[: len(values)], err_msg=f"{way}: {name}")
    turned = coarse[["psl", "hurs", "tas", "pr"]].sr.downscale(joint, members=2)
    assert_same_bits(turned[[*TARGETS]], fine)


def test_static_fields_and_predictors_survive_tiles_lazy_input_and_the_file(coarse, tmp_path):
    made = joint_model(("tas", "hurs"), predictors=("psl", "ta850"), static=("height",))
    field = coarse[["tas", "hurs", "psl"]].assign(ta850=coarse.tas - 10)
    static = xr.DataArray(
        np.random.default_rng(2).normal(size=(24, 28)),
        dims=("y", "x"),
        coords={dim: coarse.sr.downscale(joint_model(), members=1)[dim] for dim in ("y", "x")},
        name="height",
    )

    whole = field.sr.downscale(made, static=static)
    again = xdownscale.load(made.save(tmp_path / "m"))
    lazy = field.chunk(time=1, x=3).sr.downscale(again, static=static, tile=(2, 3, 3))
    assert_same_bits(lazy.compute(scheduler="synchronous"), whole)
    other = field.sr.downscale(made, static=static[::-1].assign_coords(y=static.y))
    assert not np.array_equal(other.tas, whole.tas)
    changed = field.assign(ta850=field.ta850[:, ::-1].assign_coords(y=field.y)).sr.downscale(
        made, static=static
    )
    assert not np.array_equal(changed.hurs, whole.hurs)
    for given, found in ((None, "[]"), (static.rename("orog"), "['orog']"), ({"hgt": static}, "['hgt']")):
        with pytest.raises(MissingValueError, match=r"static fields; missing: \['height'\]") as caught:
            field.sr.downscale(made, static=given)
        assert f"given: {found}" in str(caught.value)
        if given is not None:
            call = str(caught.value).partition("as in static=")[2].rstrip(".")
            mended = field.sr.downscale(made, static=eval(call, {"static": given}))
            assert_same_bits(mended, whole)


def test_another_predictor_changes_every_target(fine, coarse, joint):
    other = coarse.assign(psl=coarse.psl[::-1].assign_coords(time=coarse.time)).sr.downscale(joint, members=2)
    for name in TARGETS:
        assert not np.array_equal(other[name], fine[name]), name


def test_targets_of_a_member_belong_together(coarse):
    """A network that gives two targets the same correction: members of one noise have it too, of two they have not."""
    made = joint_model(("tas", "hurs"))
    with torch.no_grad():
        for weight in made.method.network.leave.parameters():
            weight[:] = 0.2 * weight[:1]  # far from the limits of humidity
    field = coarse[["tas", "hurs", "psl"]].isel(time=slice(0, 2), y=slice(0, 3), x=slice(0, 3))
    field["hurs"] = (50 + 0 * field.hurs).assign_attrs(field.hurs.attrs)
    drawn, others = (field.sr.downscale(made, members=48, seed=seed, conserve="none") for seed in (0, 1))
    assert float(xr.corr(drawn.tas, drawn.hurs, dim="member").min()) > 0.999
    apart = float(np.abs(xr.corr(drawn.tas, others.hurs, dim="member")).mean())
    assert apart < 0.2  # of independent draws, sqrt(2 / (pi * 47)) = 0.12
    for name, size in (("tas", 8), ("hurs", 30)):
        assert float(drawn[name].std("member").mean()) > 1e-3 * size


def test_members_of_the_input_and_other_dimensions_are_refined_one_by_one(coarse, joint):
    both = xr.concat([coarse, coarse * 1.01], dim=xr.Variable("member", [0, 1]), combine_attrs="override")
    drawn = both.sr.downscale(joint, members=2)
    assert drawn.sizes["member"] == 4
    assert drawn.member.values.tolist() == [0, 1, 2, 3]
    alone = both.isel(member=[1]).sr.downscale(joint, members=2)
    for name in TARGETS:
        np.testing.assert_array_equal(alone[name], drawn[name][2:])
    drivers = both.rename(member="driver").assign_coords(driver=["a", "b"])
    found = drivers.sr.downscale(joint, members=2)
    assert found.tas.dims == ("member", "driver", "time", "y", "x")
    apart = drivers.sel(driver=["b"]).sr.downscale(joint, members=2)
    for name in TARGETS:
        np.testing.assert_array_equal(apart[name][:, 0], found[name].sel(driver="b"))
    shared = drivers.assign(psl=coarse.psl).sr.downscale(joint, members=1)
    assert shared.sizes["driver"] == 2


@pytest.mark.filterwarnings("ignore:left out", "ignore:passed through")
def test_a_model_of_one_variable_gives_the_same_bits_in_a_dataset_and_alone(coarse):
    single = joint_model(("pr",), predictors=())
    alone = coarse.pr.sr.downscale(single, members=2)
    assert isinstance(alone, xr.DataArray)
    for dataset in (coarse, coarse[["pr"]], coarse[["pr"]].rename(pr="rr").assign(station=("s", [1]))):
        within = dataset.sr.downscale(single, members=2)
        name = "pr" if "pr" in dataset else "rr"
        assert next(iter(within.data_vars)) == name
        np.testing.assert_array_equal(within[name], alone)
    shown = joint_model(("tas",))
    alone = coarse.tas.sr.downscale(shown, predictors=coarse[["psl"]])
    np.testing.assert_array_equal(coarse.sr.downscale(shown).tas, alone)
    np.testing.assert_array_equal(coarse[["tas", "psl"]].sr.downscale(shown).tas, alone)
    with pytest.raises(DimensionError, match=r"one field is wanted.*Choose one: dataset\[name\]"):
        coarse.rename(pr="rr").sr.downscale(single)


WRONG = {
    "a target is missing": (
        lambda d: d.drop_vars("tas"),
        DimensionError,
        r"has no \['tas'\].*Rename its variables, as in dataset.rename\(t2m='tas'\)",
        lambda d: d.assign(t2m=weather().tas).rename(t2m="tas"),
    ),
    "a predictor is missing": (
        lambda d: d.drop_vars("psl"),
        MissingValueError,
        r"missing: \['psl'\]; given: .*predictors=dataset",
        lambda d: d.assign(psl=weather().psl),
    ),
    "a target of another quantity": (
        lambda d: d.assign(tas=d.psl),
        QuantityError,
        "'tas'",
        lambda d: d.assign(tas=weather().tas),
    ),
    "a predictor of another quantity": (
        lambda d: d.assign(psl=d.tas),
        QuantityError,
        "the predictor 'psl'",
        lambda d: d.assign(psl=weather().psl),
    ),
    "a target on another grid": (
        lambda d: d.assign(tas=d.tas.isel(y=slice(0, 3)).rename(y="row")),
        DimensionError,
        r"targets lie on one grid.*'pr' \('time', 'y', 'x'\).*'tas' \('time', 'row', 'x'\).*interp",
        lambda d: d.assign(tas=d.tas.rename(row="y").interp(y=d.y, kwargs={"fill_value": "extrapolate"})),
    ),
    "a target at other times": (
        lambda d: d.assign(tas=d.tas.isel(time=[0, 2]).rename(time="valid_time")),
        DimensionError,
        r"'tas' \('valid_time', 'y', 'x'\).*interp",
        lambda d: d.assign(tas=d.tas.rename(valid_time="time").interp(time=d.time)),
    ),
    "a predictor on another grid": (
        lambda d: d.assign(psl=d.psl.isel(y=slice(0, 3)).rename(y="row")),
        DimensionError,
        r"'psl' does not lie on the cells of the field along 'row'.*psl.interp\(row=field.y\)",
        lambda d: d.assign(psl=d.psl.interp(row=d.y, kwargs={"fill_value": "extrapolate"})),
    ),
    "a predictor without times": (
        lambda d: d.assign(psl=d.psl.isel(time=0, drop=True)),
        DimensionError,
        r"'psl' has no times and the field has. Repeat it: psl.expand_dims\(time=field.time\)",
        lambda d: d.assign(psl=d.psl.expand_dims(time=d.time)),
    ),
    "a field alone": (lambda d: d.tas, DimensionError, "Pass a Dataset that has them", lambda d: weather()),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_missing_or_wrong_names_itself_and_the_named_call_mends_it(what, coarse, joint):
    spoil, error, said, mend = WRONG[what]
    wrong = spoil(coarse)
    with pytest.raises(error, match=said):
        wrong.sr.downscale(joint)
    mend(wrong).sr.downscale(joint)


def test_units_are_converted_and_come_back(fine, coarse, joint):
    other = coarse.assign(
        tas=(coarse.tas - 273.15).assign_attrs(coarse.tas.attrs | {"units": "degC"}),
        hurs=(coarse.hurs / 100).assign_attrs(coarse.hurs.attrs | {"units": "1"}),
        psl=(coarse.psl / 100).assign_attrs(coarse.psl.attrs | {"units": "hPa"}),
    ).astype("f8")
    found = other.sr.downscale(joint, members=2)
    assert found.tas.attrs["units"] == "degC"
    np.testing.assert_allclose(found.tas + 273.15, fine.tas, atol=2e-2)
    np.testing.assert_allclose(100 * found.hurs, fine.hurs, atol=2e-2)
    np.testing.assert_allclose(found.pr, fine.pr, rtol=1e-2, atol=1e-3)


def test_one_sampler_or_style_holds_for_all_and_unknown_arguments_are_refused(coarse, joint):
    with pytest.raises(ArgumentError, match="takes no steps"):
        coarse.sr.downscale(joint, steps=3)


@pytest.mark.parametrize("several", [False, True], ids=["a field", "a Dataset"])
def test_the_grid_and_the_time_axis_of_a_field_are_read_once(several, coarse, joint, monkeypatch):
    counted = Counter()
    readers = {times: ["tick_step"], grids: ["describe", "lattice_index", "time_index"]}
    assert domain.describe is grids.describe
    modules = [each for name, each in sys.modules.items() if name.startswith("xdownscale.")]
    for home, names in readers.items():
        for name in names:
            read = getattr(home, name)

            def counting(*given, name=name, read=read, **options):
                counted[name, given[1] if name == "lattice_index" else ""] += 1
                return read(*given, **options)

            for module in modules:
                if getattr(module, name, None) is read:
                    monkeypatch.setattr(module, name, counting)
    if several:
        coarse[["pr", "tas", "hurs"]].sr.downscale(
            joint, predictors={"psl": coarse.psl.rename(y="row", x="column")}
        )
    else:
        coarse.pr.sr.downscale(joint_model(("pr",), predictors=()))
    assert counted.keys() >= {("tick_step", ""), ("describe", ""), ("time_index", ""), ("lattice_index", "y")}
    assert counted["tick_step", ""] == 1 + several  # the bounds of a Dataset are read apart from its fields
    assert {number for (name, _), number in counted.items() if name != "tick_step"} == {1}, counted
