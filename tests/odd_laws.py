"""What must hold for any field at all: a verb raises an error of the package's own, or its result is right."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import re
import warnings

import numpy as np
import xarray as xr

import xdownscale
from tests.odd_fields import AREA, GRIDS, PLAIN, QUANTITIES, TIMES, build, lazy
from tests.support import raise_if_dask_computes
from xdownscale.errors import XDownscaleError

PACKING = {
    "_FillValue",
    "missing_value",
    "scale_factor",
    "add_offset",
    "valid_range",
    "valid_min",
    "valid_max",
}
SCORES = ["mae", "bias"]


class ForeignError(Exception):
    """Anything but an error of the package, with the verb that it came from."""


def examine(odd, *, slow=False):
    """What became of the field in every verb: "right", or the name of the error. Raises where it is neither."""
    field = build(odd)
    done = {}
    coarse = _run(done, "coarsen", odd, field, _coarsen(odd))
    if coarse is not None:
        for each, before in _pairs(odd, field, coarse):
            _check_coarse(odd, before, each)
        _run(done, "back", odd, coarse, _interpolate(odd))
        _check_labels(odd, field, coarse)
    fine = _run(done, "interpolate", odd, field, _interpolate(odd))
    if fine is not None:
        for each, before in _pairs(odd, field, fine):
            _check_fine(odd, before, each)
    if odd.container != "tree":
        score, often = (lambda each: xdownscale.evaluate(each, each, metrics=SCORES)), odd.seed % 4 == 0
        _run(done, "evaluate", odd, field, score, _check_scores, lazily=often)
    if slow:
        _run(done, "evaluate all", odd, field, lambda each: xdownscale.evaluate(each, each), _check_scores)
        _run(done, "downscale", odd, field, _downscale(odd), functools.partial(_check_members, odd, field))
        if odd.container != "tree":
            large = dataclasses.replace(odd, sizes=tuple(2 * n + 16 if n else 0 for n in odd.sizes))
            _run(done, "train", odd, build(large), _train(odd), lazily=False)
    return done


def _coarsen(odd):
    t, y, x = odd.by
    return lambda each: xdownscale.coarsen(each, (y, x), t, **odd.keywords)


def _interpolate(odd):
    t, y, x = odd.by
    options = {key: value for key, value in odd.keywords.items() if key in ("dims", "gaps")}
    return lambda each: xdownscale.interpolate(each, (y, x), t, method=odd.method, **options)


def _downscale(odd):
    options = {key: value for key, value in odd.keywords.items() if key in ("dims", "gaps")}
    warm = "temperature" in odd.quantity
    return lambda each: xdownscale.downscale(each, _model(warm), device="cpu", progress=False, **options)


def _train(odd):
    options = {key: value for key, value in odd.keywords.items() if key == "dims"}

    def train(each):
        fast = {"recipe": "small", "steps": 1, "validation": 0, "device": "cpu", "progress": False}
        return xdownscale.train(each, 2, 2, **fast, **options)

    return train


@functools.cache
def _model(warm):
    from tests.small_models import model

    return model((2, 2, 2), rain=not warm, units="K" if warm else "mm h-1")


# ── one verb ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _run(done, verb, odd, field, call, check=None, *, lazily=True):
    """The result of a verb in memory; that of the field in chunks is the same, and the input is as it was."""
    before = copy.deepcopy(field)
    result, done[verb] = _outcome(verb, call, field)
    _same(before, field, f"{verb} changed its input")
    if check is not None and result is not None:
        check(result)
    if result is not None:
        for each in _arrays(result):
            _check_attrs(verb, each)
    if lazily and odd.chunks is not None and odd.container != "numpy" and odd.times != "time zones":
        chunked = lazy(odd, field)
        asked, told = _outcome(
            verb, call, chunked, computes=odd.grid == "curvilinear lazy" or verb == "evaluate all"
        )
        if asked is None:
            assert result is None or told == done[verb], f"{verb} refuses chunks alone: {told}"
        else:
            values, told = _outcome(verb, lambda each: each.compute(scheduler="synchronous"), asked)
            if result is not None:
                assert values is not None, f"{verb} of chunks fails at compute: {told}"
                _alike(values, result, verb)
    return result


def _outcome(verb, call, field, *, computes=True):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)
        warnings.filterwarnings("ignore", "DatetimeIndex.values")  # pandas tells xarray, of time zones
        with contextlib.nullcontext() if computes else raise_if_dask_computes():
            try:
                return call(field), "right"
            except XDownscaleError as error:
                return None, type(error).__name__
            except AssertionError:
                raise
            except Exception as error:
                raise ForeignError(verb, type(error).__name__, str(error)) from error


def _arrays(result):
    """The arrays of a result, whatever holds them."""
    if isinstance(result, xr.DataArray):
        return [result]
    if isinstance(result, xr.DataTree):
        return [a for node in result.subtree for a in node.to_dataset().data_vars.values()]
    return list(result.data_vars.values()) if isinstance(result, xr.Dataset) else []


def _same(before, after, said):
    if isinstance(before, np.ndarray):
        np.testing.assert_array_equal(before, after, said)
        return
    assert before.identical(after), said
    for one, other in zip(_arrays(before), _arrays(after), strict=True):
        assert one.encoding == other.encoding, said
        for name in one.coords:
            assert str(one[name].attrs) == str(other[name].attrs), said


def _alike(one, other, verb):
    """The same numbers: sums of chunks are added in another order."""
    assert type(one) is type(other)
    for left, right in zip(_arrays(one), _arrays(other), strict=True):
        assert left.dims == right.dims, verb
        assert left.dtype.newbyteorder("=") == right.dtype.newbyteorder("="), (verb, left.dtype, right.dtype)
        assert set(left.coords) == set(right.coords), verb
        if left.dtype.kind in "fc":
            eps = max(float(np.finfo(left.dtype).eps), 1e-16) * 64
            scale = np.max(np.abs(right.values), initial=0.0, where=~np.isnan(right.values))
            np.testing.assert_allclose(
                left.values,
                right.values,
                rtol=eps,
                atol=eps * max(scale, verb == "evaluate all"),
                err_msg=verb,
            )
        for name in left.coords:
            assert left[name].dtype == right[name].dtype, (verb, name)
            if left[name].dtype.kind in "fiuMmb":
                np.testing.assert_array_equal(left[name].values, right[name].values, err_msg=f"{verb} {name}")


def _check_attrs(verb, result):
    if verb in ("coarsen", "interpolate", "back") and result.dtype.kind == "f" and result.ndim > 1:
        left = PACKING & set(result.attrs)
        assert not left, f"{verb} keeps attributes of packing {left}"
        assert not PACKING & set(result.encoding), verb
        values = result.values.astype(np.float64)
        assert not np.isinf(values).any(), f"{verb} gives infinite values"
        assert not (np.abs(values[np.isfinite(values)]) > 9e19).any(), f"{verb} lets a marker through"


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _pairs(odd, field, result):
    """Result and input of the field that was described."""
    if isinstance(field, xr.DataTree):
        field, result = field["/fine"].to_dataset(), result["/fine"].to_dataset()
    if isinstance(field, xr.Dataset):
        name = next(iter(field.data_vars))
        assert name in result.data_vars, f"{name} is lost"
        field, result = field[name], result[name]
    assert isinstance(result, xr.DataArray)
    assert result.dims == field.dims
    if not odd.attrs and odd.options is None and "units" in field.attrs:
        assert str(result.attrs.get("units")) == str(field.attrs["units"])
    return [(result, field)]


def _roles(odd):
    """Time, y and x, time None where there is none, for fields whose names are not misleading."""
    dims = odd.dims
    return (None, *dims) if TIMES[odd.times] is None else dims


def _usual(odd):
    """Whether the dimensions are those that the description means, and values are plain numbers."""
    return (
        odd.names not in ("turned", "of members", "half known")
        and len(_roles(odd)) == 3
        and odd.grid not in ("axes that contradict", "both latitudes", "dates", "units of numbers")
        and odd.extra != "start"
        and not {"packed", "unsigned", "packed by text", "packed by several", "unsigned odd"} & set(odd.attrs)
        and odd.dtype not in ("f2", "bool")
    )


def _array(field, dims):
    """Values in double precision, the dimensions of the grid last, time first of them."""
    there = [dim for dim in dims if dim is not None]
    values = field.transpose(..., *there).values.astype(np.float64)
    return values if dims[0] is not None else values[..., None, :, :]


def _blocks(values, by):
    t, y, x = by
    *lead, T, Y, X = values.shape
    return values.reshape(*lead, T // t, t, Y // y, y, X // x, x)


def _check_coarse(odd, field, coarse):
    """Means by area, plain means, or sums in time; with gaps no more than the smallest and the largest value tell."""
    if not _usual(odd):
        return
    dims, by = _roles(odd), [int(n) for n in odd.by]
    by[0] = 1 if dims[0] is None else by[0]
    for dim, n in zip(dims, by, strict=True):
        if dim is not None and odd.options is None:
            assert coarse.sizes[dim] == field.sizes[dim] // n
    if odd.options is not None:
        return
    blocks, got = _blocks(_array(field, dims), by), _array(coarse, dims)
    merged = coarse.attrs.get("cell_methods", "")
    method = "mean"
    if by[0] > 1:
        method = re.findall(rf"{dims[0].split()[-1]}: (\w+)", str(merged))[-1]
        wanted = QUANTITIES[odd.quantity][2]
        # the name of a time dimension that CF does not know keeps "time:" of the attribute
        assert wanted in (None, method), f"{odd.quantity} is merged by {method}"
    blocks = blocks[..., :1, :, :, :, :] if method == "point" else blocks
    weights = _weights(odd, field, dims, by, blocks)
    missing = np.isnan(blocks).any(axis=(-5, -3, -1))
    np.testing.assert_array_equal(np.isnan(got), missing, err_msg="gaps of the coarse field")
    steps = blocks.shape[-5] if method == "sum" else 1
    eps = max(float(np.finfo(coarse.dtype).eps), 1e-14) * 64
    with np.errstate(all="ignore"):
        low, high = (f(blocks, axis=(-5, -3, -1)) * steps for f in (np.min, np.max))
    slack = eps * np.max(np.abs(blocks), initial=0.0, where=~np.isnan(blocks)) * steps
    there = ~missing
    assert (got[there] >= low[there] - slack).all(), "coarse values below the fine ones"
    assert (got[there] <= high[there] + slack).all(), "coarse values above the fine ones"
    if weights is not None:
        right = (blocks * weights).sum(axis=(-5, -3, -1)) / (weights * np.ones_like(blocks)).sum(
            axis=(-5, -3, -1)
        )
        np.testing.assert_allclose(
            got[there], right[there] * steps, rtol=eps, atol=slack, err_msg="coarse values"
        )


def _weights(odd, field, dims, by, blocks):
    """Areas of the cells, as blocks; None where the description does not tell."""
    kind = GRIDS[odd.grid][3]
    known = odd.names in ("own", "unknown", "dim_0") or (kind == AREA and odd.names in ("short", "capitals"))
    if kind == PLAIN and known and odd.bounds == "none":
        return np.ones((1,) * 6)
    if kind != AREA or not known or odd.bounds != "none" or field.sizes[dims[1]] < 2 or by[1] * by[2] == 1:
        return None
    if odd.grid == "sphere of names" and odd.names != "own":
        return None
    lat = field[dims[1]].values.astype(np.float64)
    middle = (lat[1:] + lat[:-1]) / 2
    cuts = np.concatenate([[2 * lat[0] - middle[0]], middle, [2 * lat[-1] - middle[-1]]])
    rows = np.abs(np.diff(np.sin(np.deg2rad(np.clip(cuts, -90, 90)))))
    return rows.reshape(1, 1, -1, by[1], 1, 1)


def _check_fine(odd, field, fine):
    """A cell is missing where the coarse one is; constant pieces keep the mean."""
    if not _usual(odd):
        return
    dims, by = _roles(odd), [int(n) for n in odd.by]
    by[0] = 1 if dims[0] is None else by[0]
    coarse, got = _array(field, dims), _array(fine, dims)
    assert got.shape[-3:] == tuple(n * f for n, f in zip(coarse.shape[-3:], by, strict=True))
    blocks = _blocks(got, by)
    missing = np.isnan(coarse)[..., None, :, None, :, None]
    assert (np.isnan(blocks) == missing).all(), "gaps of the fine field"
    total = blocks.sum(axis=-5)
    share = coarse[..., None, :, None] if QUANTITIES[odd.quantity][2] == "sum" else None
    if odd.method in ("nearest", "conservative"):
        eps = max(float(np.finfo(fine.dtype).eps), 1e-16) * 8
        whole = total if share is not None else total / by[0]
        np.testing.assert_allclose(
            whole, np.broadcast_to(coarse[..., :, :, None, :, None], whole.shape), rtol=eps, atol=1e-40
        ) if QUANTITIES[odd.quantity][2] is not None else None


def _check_labels(odd, field, coarse):
    """Labels that went to the coarse grid and back are the ones that there were."""
    if odd.options is not None or odd.container == "numpy":
        return
    back, told = _outcome("back", _interpolate(odd), coarse)
    if back is None:
        return
    if isinstance(field, xr.DataTree):
        field, back = field["/fine"].to_dataset(), back["/fine"].to_dataset()
    for dim in odd.dims:
        if dim not in field.coords or dim not in field.dims or field[dim].ndim != 1:
            continue
        before, after = field[dim], back[dim]
        if before.dtype.kind in "fMm" or (TIMES[odd.times] is not None and dim == odd.dims[0]):
            assert before.variable.to_index().equals(after.variable.to_index()), (
                f"labels of {dim} after {told}"
            )


def _check_scores(scores):
    """A field is a perfect forecast of itself."""
    for name, score in scores.data_vars.items():
        if str(name).rpartition("_")[2] in SCORES:
            values = score.values
            assert (values[~np.isnan(values)] == 0).all(), f"{name} of a field with itself is {values}"
            assert not np.isnan(values).any() or score.size != 1, f"{name} is missing"


def _check_members(odd, field, members):
    """Fine where the coarse field is there; block means are those of the field."""
    if odd.chunks is not None and not isinstance(members, xr.DataTree):
        members = members.compute(scheduler="synchronous")
    if isinstance(field, xr.DataArray) and _usual(odd) and odd.options is None and len(field.dims) <= 3:
        dims = _roles(odd)
        assert members.dims[0] == "member"
        got = _array(members.isel(member=0), dims)
        coarse = _array(field, dims)
        blocks = _blocks(got, (2 if dims[0] is not None else 1, 2, 2))
        assert (np.isnan(blocks) == np.isnan(coarse)[..., None, :, None, :, None]).all(), (
            "gaps of the members"
        )
        assert not np.isinf(got).any()
