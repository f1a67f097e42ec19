"""Two files against each other: what in them is a field, and what belongs together."""

import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import sample
from tests.remedies import calls
from xdownscale import metrics
from xdownscale.errors import DimensionError
from xdownscale.evaluate import evaluate


def as_file(field, name="rain"):
    """The field with what stands beside it in files."""
    edges = field.y.values[:, None] + np.array([-500.0, 500.0])
    dataset = field.assign_attrs(grid_mapping="crs", cell_measures="area: cells").to_dataset(name=name)
    dataset["crs"] = xr.DataArray(0, attrs={"grid_mapping_name": "transverse_mercator"})
    dataset["time_bnds"] = (("time", "bnds"), np.stack([field.time.values, field.time.values], 1))
    dataset["y_bnds"] = (("y", "bnds"), edges)
    dataset["x_edges"] = (("x", "nv"), np.zeros((field.sizes["x"], 2)))
    dataset.x.attrs["bounds"] = "x_edges"
    dataset["cells"] = (("y", "x"), np.ones((field.sizes["y"], field.sizes["x"])))
    dataset["lat"] = (("y", "x"), np.ones((field.sizes["y"], field.sizes["x"])), {"units": "degrees_north"})
    return dataset


def test_bounds_mappings_and_coordinates_are_no_fields(tmp_path):
    observations, ensemble = sample()
    ours, theirs = as_file(observations), as_file(ensemble.rename(member="number"))
    expected = metrics.crps_ensemble(observations, ensemble)
    ours.to_netcdf(tmp_path / "o.nc")
    theirs.to_netcdf(tmp_path / "f.nc")
    with xr.open_dataset(tmp_path / "o.nc") as a, xr.open_dataset(tmp_path / "f.nc") as b:
        for pair in ((a, b), (a, b["rain"]), (a["rain"], b), (a, {"net": b})):
            scores = evaluate(*pair, metrics=["crps_ensemble"])
            assert list(scores.data_vars) == ["crps_ensemble"]
            np.testing.assert_allclose(scores.crps_ensemble.squeeze(), expected)


def test_several_fields_are_scored_one_by_one_with_their_reference():
    observations, ensemble = sample()
    ours = as_file(observations).assign(snow=2 * observations)
    theirs = as_file(ensemble).assign(snow=2 * ensemble)
    scores = evaluate(
        ours, theirs, metrics=["mae"], reference=as_file(observations + 1).assign(snow=ours.snow + 1)
    )
    assert set(scores.data_vars) == {"rain_mae", "rain_mae_skill", "snow_mae", "snow_mae_skill"}
    np.testing.assert_allclose(scores.rain_mae_skill, 1 - metrics.mae(observations, ensemble))
    models = evaluate(ours, {"a": theirs, "b": theirs}, metrics=["mae"])
    assert models.snow_mae.dims == ("model",)


def test_files_without_a_common_field_say_what_to_choose():
    observations, ensemble = sample()
    ours, theirs = as_file(observations, "pr"), as_file(ensemble)
    with pytest.raises(DimensionError, match="no variable is in both") as error:
        evaluate(ours, theirs)
    assert "crs" not in str(error.value)
    np.testing.assert_allclose(
        evaluate(ours["pr"], theirs["rain"], metrics=["mae"]).mae, metrics.mae(observations, ensemble)
    )
    (rename,) = [call for call in calls(str(error.value)) if "rename" in call]
    renamed = eval(rename, {"forecasts": theirs})
    assert evaluate(ours, renamed, metrics=["mae"]).mae.notnull()


def test_trees_arrays_and_lists_are_refused():
    observations, ensemble = sample()
    tree = xr.DataTree.from_dict({"/run": as_file(ensemble)})
    for forecasts, word in (
        (tree, "to_dataset"),
        (ensemble.values, "xarray.DataArray"),
        (None, "NoneType"),
        ([ensemble], "list"),
    ):
        with pytest.raises(DimensionError, match=word):
            evaluate(observations, forecasts)
    for truth in (tree, observations.values):
        with pytest.raises(DimensionError, match="observations are a"):
            evaluate(truth, ensemble)
    assert evaluate(observations, tree["run"].to_dataset()["rain"], metrics=["mae"]).mae.notnull()
