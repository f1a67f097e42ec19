from __future__ import annotations

import inspect
import itertools
import pickle
import sys

import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.support import globe, rain
from xdownscale.accessor import DataArrayAccessor, DatasetAccessor, DataTreeAccessor
from xdownscale.errors import DimensionError, XDownscaleError

OWN = {"evaluate": 1}
"""Place of the field itself among the arguments, where it is not the first."""

VERBS = ("coarsen", "interpolate", "train", "tune", "calibrate", "downscale", "evaluate")


@pytest.mark.parametrize(
    ("accessor", "verb"),
    [
        *itertools.product((DataArrayAccessor, DatasetAccessor), VERBS),
        *itertools.product((DataTreeAccessor,), ("coarsen", "interpolate", "downscale")),
    ],
)
def test_methods_have_the_signature_of_the_functions(accessor, verb):
    function = list(inspect.signature(getattr(xdownscale, verb)).parameters.values())
    function = [each for each in function if each is not function[OWN.get(verb, 0)]]
    method = list(inspect.signature(getattr(accessor, verb)).parameters.values())[1:]
    assert [str(parameter) for parameter in method] == [str(parameter) for parameter in function]


@pytest.mark.parametrize(
    ("field", "verb"),
    [
        *itertools.product((rain(),), VERBS),
        *itertools.product((xr.DataTree(),), ("coarsen", "interpolate", "downscale")),
    ],
)
def test_methods_pass_every_argument_on(field, verb, monkeypatch):
    seen = {}
    signature = inspect.signature(getattr(xdownscale, verb))

    def fake(*args, **kwargs):
        seen.update(signature.bind(*args, **kwargs).arguments)

    monkeypatch.setattr(sys.modules[f"xdownscale.{verb}"], verb, fake)
    names = list(signature.parameters)
    own = names.pop(OWN.get(verb, 0))
    wanted = {name: object() for name in names}
    getattr(field.sr, verb)(**wanted)
    assert seen.pop(own) is field
    assert seen == wanted


def test_the_accessor_stores_nothing_and_changes_nothing():
    field = rain()
    before = field.copy(deep=True)
    coarse = field.sr.coarsen(10, 3)
    repr(field.sr)
    xr.testing.assert_identical(field, before)
    xr.testing.assert_equal(coarse, xdownscale.coarsen(field, 10, 3))
    assert list(vars(field.sr)) == ["_field"]
    assert pickle.loads(pickle.dumps(field)).sr.interpolate(2).shape == (6, 40, 60)


def test_a_dataset_coarsens_and_learns_from_its_only_field():
    whole = rain().to_dataset().assign(crs=0)
    with pytest.warns(UserWarning, match="crs") as caught:
        assert whole.sr.coarsen(10, 3)["rain"].shape == (2, 2, 3)
    assert caught[0].filename == __file__
    with pytest.raises(DimensionError, match="Choose"):
        xr.Dataset({"a": rain(), "b": rain()}).sr.downscale(spatial=10, temporal=3)
    with pytest.raises(DimensionError, match="none among"):
        xr.Dataset({"a": 1}).sr.train(10, 3)


def test_the_representation_shows_what_was_understood():
    shown = repr(rain().expand_dims(member=4).chunk(x=10).sr)
    for part in (
        "time: 6 steps of 300 s",
        "y: 20 cells of 1000 m",
        "member: 4",
        "mm h-1",
        "plain",
        "(10, 10, 10)",
    ):
        assert part in shown
    assert "weighted" in repr(globe().sr)


def test_the_representation_never_fails():
    assert "n/a" in repr(xr.DataArray([1.0]).sr)
    assert "gap after index 1" in repr(rain().isel(time=[0, 1, 3, 4]).sr)
    assert "n/a" in repr(xr.DataArray(np.zeros((1, 2, 2)), dims=("time", "y", "x")).sr)
    shown = repr(xr.Dataset({"rain": rain(), "crs": 0}).sr)
    assert "2 variables" in shown
    assert "crs" not in shown


def test_the_representation_of_a_tree_shows_its_nodes():
    shown = repr(xr.DataTree.from_dict({"/radar": rain().to_dataset(), "/model": globe().to_dataset()}).sr)
    for part in ("3 nodes", "/radar", "time: 6 steps of 300 s", "/model", "weighted"):
        assert part in shown


def test_an_xarray_without_the_tree_accessor_still_imports(monkeypatch):
    registered = []
    monkeypatch.delattr(xr, "register_datatree_accessor")
    for kind in ("dataarray", "dataset"):
        remember = lambda name, kind=kind: lambda accessor: registered.append((kind, name)) or accessor  # noqa: E731
        monkeypatch.setattr(xr, f"register_{kind}_accessor", remember)
    source = inspect.getsource(xdownscale.accessor)
    exec(compile(source, "accessor.py", "exec"), {"__name__": "xdownscale.accessor"})
    assert registered == [("dataarray", "sr"), ("dataset", "sr")]


def test_spacings_of_latitudes_and_longitudes_are_degrees():
    labels = {
        "lat": ("lat", [50.0, 50.5, 51.0], {"units": "degrees_north", "standard_name": "latitude"}),
        "lon": ("lon", [8.0, 8.25, 8.5], {"units": "degrees_east", "standard_name": "longitude"}),
    }
    said = repr(xr.DataArray(np.zeros((3, 3)), labels, ("lat", "lon")).sr)
    assert "lat: 3 cells of 0.5 degrees\n" in said
    assert "lon: 3 cells of 0.25 degrees\n" in said


def test_a_misspelt_keyword_names_the_verb_and_the_right_one():
    for field, verb in (
        (rain(), "downscale"),
        (rain().to_dataset(), "downscale"),
        (xr.DataTree(), "downscale"),
    ):
        with pytest.raises(
            TypeError, match=r"^sr.downscale\(\) .* 'member'. Did you mean 'members'\?$"
        ) as caught:
            getattr(field.sr, verb)(spatial=10, temporal=3, member=2)
        assert isinstance(caught.value, XDownscaleError)
    with pytest.raises(TypeError, match=r"^sr.evaluate\(\) .* 'zzz'. It takes observations, metrics"):
        rain().sr.evaluate(rain(), zzz=1)
    with pytest.raises(TypeError, match=r"^sr.calibrate\(\) missing"):
        rain().sr.calibrate()
