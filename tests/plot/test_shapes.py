"""Pictures of shapes against the functionals that they stand for."""

import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import sample
from xdownscale import metrics, plot
from xdownscale.errors import DimensionError

pytest.importorskip("matplotlib", reason="pictures need matplotlib")

THRESHOLDS = [0.5, 2.0, 4.0]


def test_curves_are_means_over_frames_and_bands_hold_all_members():
    observations, ensemble = sample()
    figure = plot.gamma_curves(observations, {"ours": ensemble}, thresholds=THRESHOLDS)
    truth = metrics.minkowski_functionals(observations, thresholds=THRESHOLDS)
    members = metrics.minkowski_functionals(ensemble, thresholds=THRESHOLDS, dim="time")
    for panel, name in zip(figure.axes, truth.functional.values, strict=True):
        first, second = panel.lines
        np.testing.assert_allclose(first.get_xydata(), np.c_[THRESHOLDS, truth.sel(functional=name)])
        each = members.sel(functional=name)
        np.testing.assert_allclose(second.get_ydata(), each.mean("member"))
        corners = panel.collections[0].get_paths()[0].vertices
        for threshold, low, high in zip(THRESHOLDS, each.min("member"), each.max("member"), strict=True):
            heights = corners[np.isclose(corners[:, 0], threshold), 1]
            np.testing.assert_allclose([heights.min(), heights.max()], [low, high])
        assert [text.get_text() for text in panel.get_xticklabels()] == ["0.5", "2", "4"]
        assert not panel.get_xticks(minor=True).size
    assert [panel.get_ylim()[0] for panel in figure.axes[:2]] == [0, 0]
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["truth", "ours"]


def test_rain_of_other_units_is_measured_in_millimetres_an_hour():
    observations, _ = sample()
    flux = (observations / 3600).assign_attrs(observations.attrs | {"units": "kg m-2 s-1"})
    figures = [plot.gamma_curves(field, field, thresholds=THRESHOLDS) for field in (observations, flux)]
    curves = [figure.axes[0].lines[0].get_ydata() for figure in figures]
    np.testing.assert_allclose(*curves)


def test_sets_are_where_thresholds_are_reached():
    observations, _ = sample()
    frame = observations.isel(time=0)
    figure = plot.excursion_sets(frame, thresholds=THRESHOLDS)
    found = metrics.minkowski_functionals(frame, thresholds=THRESHOLDS)
    for panel, threshold, (area, _, pieces) in zip(figure.axes, THRESHOLDS, found.values, strict=True):
        np.testing.assert_array_equal(panel.images[0].get_array(), frame.values >= threshold)
        assert panel.get_xlabel().startswith(f"A {area:.0f},")
        assert panel.get_xlabel().endswith(f"χ {pieces:.0f}")


def test_gradients_act_where_a_cell_changes_a_functional():
    values = np.zeros((9, 12))
    values[2:5, 2:5] = values[2:5, 6:9] = 2.0
    values[3, 5] = 0.99  # a bridge that is about to join two pieces
    frame = xr.DataArray(values, dims=("y", "x"))
    area, perimeter, pieces = (
        panel.images[0].get_array()
        for panel in plot.shape_gradients(frame, threshold=1.0, temperature=0.05).axes[1:]
    )
    bridge = (3, 5)
    assert np.unravel_index(np.abs(area).argmax(), area.shape) == bridge
    assert area[bridge] > 0 > pieces[bridge]
    np.testing.assert_allclose(pieces[bridge], -area[bridge], rtol=1e-6)
    assert abs(perimeter[bridge]) > abs(perimeter[0]).max()


@pytest.mark.parametrize("draw", [plot.excursion_sets, plot.shape_gradients])
def test_one_frame_is_drawn(draw):
    observations, _ = sample()
    options = {"threshold": 1.0} if draw is plot.shape_gradients else {"thresholds": [1.0]}
    with pytest.raises(DimensionError, match=r"isel\(time=0\)"):
        draw(observations, **options)
