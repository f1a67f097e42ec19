"""Verbs on a DataTree: every node with the dimensions, and a tree that is whole afterwards."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.small_models import model
from tests.support import globe, rain, raise_if_dask_computes
from xdownscale.errors import ArgumentError, DimensionError


def radars():
    """Two radars, a global model, stations without a grid, and a root with attributes."""
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs={"title": "a test"}),
            "/radar/north": rain().to_dataset(),
            "/radar/south": rain(seed=1).to_dataset().assign(crs=0),
            "/model": globe((20, 40)).to_dataset(),
            "/stations": xr.Dataset({"gauge": ("station", np.arange(7.0))}, attrs={"n": 7}),
        },
        name="all",
    )


@pytest.mark.parametrize("verb", [xdownscale.coarsen, xdownscale.interpolate])
def test_every_node_is_changed_as_its_dataset_would_be(verb):
    tree = radars()
    before = tree.copy(deep=True)
    with pytest.warns(UserWarning, match=r"crs|passed through unchanged.*'/stations'") as caught:
        changed = verb(tree, 10, 3)
    assert {warning.filename for warning in caught} == {__file__}
    xr.testing.assert_equal(
        changed["radar/north"].to_dataset(), verb(tree["radar/north"].to_dataset(), 10, 3)
    )
    xr.testing.assert_equal(changed["model"].to_dataset(), verb(tree["model"].to_dataset(), 10))
    assert changed["radar/south/crs"] == 0
    assert changed["stations"].identical(tree["stations"])
    assert changed.attrs == tree.attrs
    assert changed.name == "all"
    xr.testing.assert_identical(tree, before)


def test_coordinates_that_nodes_inherit_are_changed_with_them():
    shared = rain().to_dataset().drop_vars("rain")
    tree = xr.DataTree.from_dict(
        {
            "/": shared.assign(orography=(("y", "x"), np.ones((20, 30)))),
            "/a": rain().to_dataset().drop_vars(["time", "y", "x"]),
            "/b": xr.Dataset({"flag": ("time", np.arange(6))}),
            "/b/c": xr.Dataset({"rain": rain(seed=2).variable}),
        }
    )
    with pytest.warns(UserWarning, match=r"left out.*'/b/flag'"):
        coarse = tree.sr.coarsen(10, 3)
    xr.testing.assert_equal(coarse["a/rain"], xdownscale.coarsen(rain(), 10, 3))
    xr.testing.assert_equal(coarse["b/c/rain"], xdownscale.coarsen(rain(seed=2), 10, 3))
    assert coarse["orography"].shape == (2, 3)
    assert coarse["a/time_bnds"].shape == (2, 2)
    assert list(coarse["b"].data_vars) == []
    fine = coarse.sr.interpolate(10, 3, method="nearest")
    np.testing.assert_array_equal(fine["b/c"].time, rain().time)


def test_a_branch_comes_back_as_a_tree_of_its_own():
    tree = radars()
    with pytest.warns(UserWarning, match="crs"):
        branch = tree["radar"].sr.coarsen(10, 3)
    assert branch.name == "radar"
    assert list(branch.children) == ["north", "south"]
    whole = xr.DataTree.from_dict(
        {"/": rain().to_dataset().drop_vars("rain"), "/a": xr.Dataset({"rain": rain().variable})}
    )
    assert whole["a"].sr.coarsen(10, 3)["rain"].shape == (2, 2, 3)


def test_a_root_that_is_only_padded_keeps_labels_that_agree():
    alone = rain((1, 4, 4)).to_dataset()
    alone.time.attrs["cell_width"] = "300 s"
    tree = xr.DataTree.from_dict({"/": alone.drop_vars("rain"), "/a": alone.drop_vars(["time", "y", "x"])})
    coarse = tree.sr.coarsen(4, 3, boundary="pad", min_valid=0.1)
    xr.testing.assert_equal(
        coarse["a/rain"], xdownscale.coarsen(alone["rain"], 4, 3, boundary="pad", min_valid=0.1)
    )


def test_lazy_trees_stay_lazy():
    with raise_if_dask_computes(), pytest.warns(UserWarning, match="stations|crs"):
        lazy = radars().chunk(x=7).sr.coarsen(10, 3)
    assert lazy["radar/north/rain"].chunks is not None


def test_an_ensemble_for_every_node_with_a_field_that_the_model_refines():
    field = rain((3, 5, 4), step=15, spacing=4000.0).assign_attrs(grid_mapping="crs")
    tree = xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs={"title": "a test"}),
            "/a": field.to_dataset().assign(crs=0, height=field[0].drop_vars("time")),
            "/b": globe((4, 4)).to_dataset(),
        }
    )
    with pytest.warns(UserWarning, match=r"height|'/b'"):
        ensemble = tree.sr.downscale(model(), members=2)
    xr.testing.assert_equal(ensemble["a/rain"].drop_vars("crs"), field.sr.downscale(model(), members=2))
    assert set(ensemble["a"].data_vars) == {"rain"}
    assert ensemble["a"].crs.item() == 0
    assert ensemble["b"].identical(tree["b"])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: t.sr.coarsen(7, 3), ArgumentError, r"node '/model': .*boundary='trim'"),
        (
            lambda t: t["stations"].sr.coarsen(2),
            DimensionError,
            r"\['/stations'\] has numbers on y and x.*dims=",
        ),
        (
            lambda t: t.filter(lambda n: n.name == "model").sr.interpolate(2, 2),
            DimensionError,
            "time dimension",
        ),
        (lambda t: t["model"].sr.downscale(model()), DimensionError, "no node of .*dims="),
    ],
)
@pytest.mark.filterwarnings("ignore:passed through")
def test_messages_name_the_node_and_the_fix(call, error, message):
    with pytest.raises(error, match=message):
        call(radars())


@pytest.mark.filterwarnings("ignore:passed through")
def test_a_node_with_several_fields_must_be_told_apart():
    both = xr.Dataset({"hail": rain(), "snow": rain()})
    with pytest.raises(DimensionError, match=r"node '/a': one field is wanted.*dataset\[name\]"):
        xr.DataTree.from_dict({"/a": both}).sr.downscale(model())
