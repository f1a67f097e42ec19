"""Values that are no values, in whatever a verb is given: refused, or right; and every remedy works."""

from __future__ import annotations

import ast
import copy
import warnings

import dask.array
import numpy as np
import pint
import pytest
import xarray as xr

import xdownscale
from tests.support import globe, rain, raise_if_dask_computes
from xdownscale.errors import ArgumentError, ValueRangeError, XDownscaleError

MODEL = {"spatial": 10, "temporal": 3}


def remedies(error, **fields):
    """The calls that a message names: the longest stretches of it that are expressions of the fields."""
    known = {"numpy": np, "xarray": xr, "abs": abs, "float": float, **fields}
    message, found, start = str(error), [], 0
    while start < len(message):
        end = next(
            (end for end in range(len(message), start, -1) if is_call(message[start:end], known, fields)),
            None,
        )
        if end is not None:
            found.append(eval(message[start:end], known))
        start = end or start + 1
    assert found, message
    return found


def is_call(text, known, fields):
    """Whether a text is an expression with a call, of known names alone, a field among them."""
    if text.strip() != text or ". " in text:
        return False
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError):
        return False
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    called = any(isinstance(node, ast.Call) for node in ast.walk(tree))
    several = isinstance(tree.body, ast.Tuple | ast.BoolOp)
    return called and not several and names <= set(known) and bool(names & set(fields))


def tas(values=None, dtype="f8", *, spoil=None, **attrs):
    """A field that is no rain, the first column of which may be spoiled."""
    field = globe((8, 8)).astype(dtype) if values is None else globe((8, 8)).copy(data=copy.copy(values))
    if spoil is not None:
        field[:, 0] = spoil
    return field.assign_attrs(attrs)


def wet(spoil):
    field = rain((2, 8, 8))
    field[..., 0] = spoil
    return field


def quantity(values, units):
    return tas(pint.UnitRegistry().Quantity(values, units)).drop_attrs(deep=False)


COUNTS = np.arange(64, dtype="i2").reshape(8, 8)
BAD = {
    "a marker in kelvin": tas(spoil=-9999.9, dtype="f4"),
    "a marker in rain": wet(-9999.0),
    "negative rain": wet(-0.5),
    "CMIP": tas(spoil=1e20, dtype="f4"),
    "GrADS": tas(spoil=9.999e20, dtype="f4"),
    "netCDF": tas(spoil=9.96921e36, dtype="f4"),
    "GDAL": tas(spoil=np.float32(-3.4028235e38), dtype="f4"),
    "beyond single precision": tas(spoil=1e300),
    "infinite": tas(spoil=-np.inf),
    "NaN as a whole number": tas(spoil=-(2**63), dtype="i8"),
    "declared": tas(spoil=255, dtype="u1", _FillValue=np.uint8(255)),
    "declared in a list": tas(spoil=-1.5, missing_value=[-1.5, -2.5]),
    "declared in other precision": tas(spoil=-8.7, dtype="f4", missing_value=np.float64(-8.7)),
    "declared and packed": tas(spoil=-1, dtype="i2", _FillValue=np.int16(-1), scale_factor=0.5),
    "packed with an undeclared marker": tas(COUNTS, spoil=-32767, scale_factor=0.5, add_offset=2.0),
    "packed without sign": tas(COUNTS.astype("i1"), _Unsigned="true"),
    "packed or not": tas(scale_factor=0.1, add_offset=273.15),
    "beyond the valid range": tas(valid_range=[250.0, 290.0]),
    "packed beyond the valid range": tas(COUNTS, valid_max=np.int16(50), scale_factor=0.5),
    "a duration": tas(np.full((8, 8), 3600, "m8[s]").astype("m8[ns]")),
    "a date": tas(np.full((8, 8), np.datetime64("2020-01-01", "ns"))),
    "complex": tas(dtype=complex),
    "text": tas(np.full((8, 8), "1.5")),
    "objects": tas(np.full((8, 8), 1.5, object)),
    "a quantity": quantity(np.ones((8, 8)), "mm/h"),
    "a lazy quantity": quantity(dask.array.ones((8, 8)), "kg/m**2/s"),
}


@xr.register_dataarray_accessor("pint")
class Dequantified:
    """What pint-xarray does where it is installed."""

    def __init__(self, field):
        self.field = field

    def dequantify(self):
        data = self.field.data
        return self.field.copy(data=data.magnitude).assign_attrs(units=f"{data.units:~C}")


VERBS = {
    "coarsen": lambda field: xdownscale.coarsen(field, 2),
    "coarsen a Dataset": lambda field: xdownscale.coarsen(field.to_dataset(), 2),
    "interpolate": lambda field: xdownscale.interpolate(field, 2),
    "evaluate": lambda field: good_forecast(field).sr.evaluate(field, metrics=["mae"]),
}


def good_forecast(field):
    return field.copy(data=np.ones(field.shape)).drop_attrs(deep=False).drop_encoding()


def refused_and_remedied(field, verb, name):
    """Refuse a field, then take it after each of the remedies that the message names; how many these are."""
    with pytest.raises(XDownscaleError) as refused:
        verb(field).compute()
    tried = list(remedies(refused.value, **{name: field}))
    for remedied in tried:
        result = verb(remedied.rename(field.name)).compute()
        values = result if isinstance(result, xr.DataArray) else result.to_array()
        assert np.isfinite(values).any()
    return len(tried)


# dates and text in a Dataset are no fields of it
PAIRS = [(k, v) for k in BAD for v in VERBS if v != "coarsen a Dataset" or BAD[k].dtype.kind not in "MUO"]


@pytest.mark.parametrize(("kind", "verb"), PAIRS)
def test_every_remedy_works(kind, verb):
    name = "observations" if verb == "evaluate" else BAD[kind].name
    assert refused_and_remedied(BAD[kind], VERBS[verb], name) >= 1


@pytest.mark.parametrize("kind", [kind for kind in BAD if "quantity" not in kind])
def test_every_remedy_works_lazily(kind):
    field = BAD[kind].chunk(dict.fromkeys(BAD[kind].dims, 4))
    assert refused_and_remedied(field, VERBS["coarsen"], field.name) >= 1


def test_the_remedy_for_durations_gives_seconds():
    hours = BAD["a duration"]
    for field in (
        hours,
        hours.to_dataset(name="tas"),
        hours.to_dataset(name="tas").assign(other=globe((8, 8))),
    ):
        with pytest.raises(ValueRangeError, match="timedelta64") as refused:
            field.sr.coarsen(2)
        assert float(remedies(refused.value, tas=hours)[0][0, 0]) == 3600.0


def test_other_variables_of_a_dataset_may_be_text():
    dataset = globe((8, 8)).to_dataset().assign(when=BAD["a date"], said=BAD["text"])
    with pytest.warns(UserWarning, match="when"):
        assert list(dataset.sr.coarsen(2).data_vars) == ["tas"]


def test_a_lazy_field_is_looked_at_where_the_value_stands():
    field = rain((6, 8, 8))
    field[4, 0, 0] = -9999.0
    with raise_if_dask_computes():
        coarse = field.chunk(time=2).sr.coarsen(4, 2)
        fine = coarse.sr.interpolate(4, 2)
        score = field.chunk(time=2).sr.evaluate(fine, metrics=["mae"])
    np.testing.assert_array_equal(fine[:4], field[:4].sr.coarsen(4, 2).sr.interpolate(4, 2))
    for each in (coarse, fine, score):
        with pytest.raises(ValueRangeError, match="-9999 stands 1 times"):
            each.compute()


@pytest.fixture(scope="module")
def coarse():
    return xdownscale.tutorial.rain((6, 60, 60)).sr.coarsen(10, 3)


@pytest.mark.parametrize("lazy", [False, True], ids=["in memory", "lazy"])
@pytest.mark.parametrize("value", [-9999.0, np.inf, 1e20, 9.96921e36, 1e300, -0.5])
def test_downscale(coarse, value, lazy):
    field = coarse.astype(float)
    field[0, 2, 2] = value
    with pytest.raises(ValueRangeError) as refused:
        (field.chunk(time=1) if lazy else field).sr.downscale(**MODEL).compute()
    (remedied,) = remedies(refused.value, **{field.name: field})
    assert int(np.isnan(remedied.sr.downscale(**MODEL)).sum()) == 300


@pytest.mark.parametrize("dtype", ["M8[ns]", "m8[ns]", complex, str, object])
def test_downscale_takes_numbers_only(coarse, dtype):
    with pytest.raises(XDownscaleError):
        coarse.astype(dtype).sr.downscale(**MODEL)


@pytest.mark.parametrize("dtype", ["f2", "f8", np.longdouble])
def test_downscale_takes_every_precision(coarse, dtype):
    rounded = coarse.astype("f2")
    xr.testing.assert_identical(
        rounded.astype(dtype).sr.downscale(**MODEL).drop_attrs(),
        rounded.astype("f4").sr.downscale(**MODEL).drop_attrs(),
    )


def test_packed_fields_are_downscaled_as_their_values(coarse):
    counts = (coarse / 0.1).round().astype("i2").assign_attrs(units=coarse.attrs["units"], scale_factor=0.1)
    fine = counts.chunk(time=1).sr.downscale(**MODEL).compute()
    np.testing.assert_array_equal(
        fine, (counts * 0.1).drop_attrs(deep=False).assign_attrs(coarse.attrs).sr.downscale(**MODEL)
    )
    assert "scale_factor" not in fine.attrs


@pytest.mark.parametrize("dtype", [np.int64, np.uint8])
def test_seeds_and_members_of_every_type_of_whole_numbers(coarse, dtype):
    plain = coarse.sr.downscale(**MODEL, seed=3, members=2)
    other = coarse.sr.downscale(**MODEL, seed=dtype(3), members=dtype(2))
    np.testing.assert_array_equal(plain, other)
    assert other.attrs["xdownscale_seed"] == 3
    xr.testing.assert_identical(
        xdownscale.tutorial.rain((1, 9, 9), seed=dtype(3)), xdownscale.tutorial.rain((1, 9, 9), seed=3)
    )


@pytest.mark.parametrize("seed", [1.0, True, "1", None])
def test_other_seeds_are_refused(coarse, seed):
    fine = xdownscale.tutorial.rain((6, 40, 40))
    for call in (
        lambda: coarse.sr.downscale(**MODEL, seed=seed),
        lambda: fine.sr.train(4, 3, recipe="small", steps=1, seed=seed),
        lambda: xdownscale.calibrate(fine, "rain-10x3", seed=seed),
        lambda: xdownscale.tutorial.rain((1, 9, 9), seed=seed),
    ):
        with pytest.raises(ArgumentError, match="seed is a whole number"):
            call()
    with pytest.raises(ArgumentError, match="members is a whole number of at least 1"):
        coarse.sr.downscale(**MODEL, members=seed if seed != 1 or seed is True else 0.5)


@pytest.mark.parametrize("lazy", [False, True], ids=["in memory", "lazy"])
@pytest.mark.parametrize("value", [-9999.0, np.inf, 1e20])
def test_what_a_model_learns_from(value, lazy):
    good = xdownscale.tutorial.rain((12, 40, 40))
    bad = good.where(good.x > 5000, value)
    bad = bad.chunk(time=6) if lazy else bad
    learn = {"recipe": "small", "steps": 1, "progress": False}
    for call in (
        lambda: bad.sr.train(4, 3, **learn),
        lambda: good.sr.train(4, 3, **learn, validation=bad),
        lambda: xdownscale.calibrate(bad, "rain-10x3", steps=1, progress=False),
        lambda: good.sr.train(4, 3, **learn, static={"height": bad[0].rename("height")}),
    ):
        with pytest.raises(ValueRangeError, match=r"\.where\("):
            call()


@pytest.mark.parametrize("lazy", [False, True], ids=["in memory", "lazy"])
@pytest.mark.parametrize("marker", [-9999.0, 1e20, -1e30])
def test_markers_in_forecasts(marker, lazy):
    truth = rain((3, 12, 12))
    ensemble = xr.concat([truth, truth + 1], dim="member").assign_attrs(truth.attrs)
    dirty = ensemble.where(ensemble.member > 0, marker)
    dirty = dirty.chunk(time=1) if lazy else dirty
    with pytest.raises(ValueRangeError) as refused:
        truth.sr.evaluate(ensemble[0], metrics=["mae"], reference=dirty[0]).compute()
    assert remedies(refused.value, reference=dirty)
    with pytest.raises(ValueRangeError) as refused:
        dirty.sr.evaluate(truth, metrics=["mae"]).compute()
    assert remedies(refused.value, forecasts=dirty)
    forecasts = {"good": ensemble, "bad": dirty}
    with pytest.raises(ValueRangeError) as refused:
        xdownscale.evaluate(truth, forecasts, metrics=["mae"]).compute()
    assert remedies(refused.value, forecasts=forecasts)


def test_negative_forecasts_of_rain_are_scored():
    truth = rain((3, 12, 12))
    assert float(
        (truth - 5).assign_attrs(truth.attrs).sr.evaluate(truth, metrics=["bias"])["bias"]
    ) == pytest.approx(-5)


@pytest.mark.parametrize("lazy", [False, True], ids=["in memory", "lazy"])
@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinite_members_never_improve_a_score(bad, lazy):
    """The cases that they ruin do not drop out: that model has no scores, the others have theirs."""
    truth = rain((4, 12, 12))
    noise = np.random.default_rng(1).gamma(0.5, 1.0, (4, *truth.shape))
    ensemble = (truth * xr.DataArray(noise, dims=("member", *truth.dims))).assign_attrs(truth.attrs)
    broken = ensemble.where((ensemble < 3) | (ensemble["member"] != 1), bad)
    forecasts = {"good": ensemble, "broken": broken}
    if lazy:
        forecasts = {name: each.chunk(time=1) for name, each in forecasts.items()}
    metrics = ["crps_ensemble", "rmse", "bias", "spread_skill_ratio", "rank_histogram"]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        scores = xdownscale.evaluate(truth, forecasts, metrics=metrics, reference="good").compute()
    good = ensemble.sr.evaluate(truth, metrics=metrics)
    for name in metrics:
        assert scores[name].sel(model="broken").isnull().all()
        np.testing.assert_array_equal(scores[name].sel(model="good"), good[name])
    assert scores["crps_ensemble_skill"].sel(model="broken").isnull()
    if lazy:
        return
    (message,) = [str(each.message) for each in told if "infinite" in str(each.message)]
    (left,) = remedies(message, forecasts=broken)
    assert left.sizes["member"] == 3
    assert left.sr.evaluate(truth, metrics=["mae"])["mae"].notnull()


def test_nothing_of_packing_is_left_and_files_come_back_right(tmp_path):
    """A mean that equals the fill value of the input is not missing in the file."""
    halves = tas(np.where(COUNTS < 32, 0.0, 4.0), _FillValue=2.0, missing_value=2.0, valid_max=10.0)
    halves["lat"].attrs["_FillValue"] = 1e20
    encoded = halves.drop_attrs(deep=False).assign_attrs(units="K")
    encoded.encoding = {"_FillValue": 2.0, "dtype": "i2", "scale_factor": 0.5}
    for field in (halves, encoded, halves.to_dataset()):
        for result in (
            field.sr.coarsen(8),
            field.sr.coarsen(2).sr.interpolate(2, method="nearest").sr.coarsen(8),
        ):
            result.to_netcdf(tmp_path / "mean.nc")
            with xr.open_dataset(tmp_path / "mean.nc") as back:
                assert float(back["tas"].squeeze()) == 2.0


@pytest.mark.parametrize("lazy", [False, True], ids=["in memory", "lazy"])
def test_sums_of_packed_amounts_come_back_right(tmp_path, lazy):
    counts = rain((3, 2, 2)).copy(data=np.full((3, 2, 2), 10, "i2"))
    counts.attrs = {"units": "mm", "scale_factor": 0.1, "add_offset": -0.5}
    (counts.chunk(time=1) if lazy else counts).sr.coarsen(2, 3).to_netcdf(tmp_path / "sum.nc")
    with xr.open_dataset(tmp_path / "sum.nc") as back:
        assert float(back["rain"].squeeze()) == pytest.approx(1.5)
