"""Maps of time means: what is averaged over what, which way round differences are, and contours of the ground."""

import numpy as np
import pytest
import xarray as xr

from tests.support import rain
from xdownscale.errors import DimensionError
from xdownscale.plot import time_means

pytest.importorskip("matplotlib", reason="pictures need matplotlib")


@pytest.fixture(scope="module")
def truth():
    return rain((6, 12, 16))


def shown(figure):
    """Maps above by title, and those of the differences below."""
    maps = [panel for panel in figure.axes if panel.images]
    above = {panel.get_title(): panel.images[0].get_array().data for panel in maps if panel.get_title()}
    return above, [panel.images[0].get_array().data for panel in maps if not panel.get_title()]


def test_means_over_time_and_members_and_their_difference(truth):
    ensemble = xr.concat([truth, 3 * truth], "member").assign_attrs(truth.attrs)
    maps, (wet, same) = shown(time_means(truth, {"wet": ensemble, "same": truth}))
    mean = truth.values.mean(0)[::-1]  # y descends in the field; the picture has north above
    assert list(maps) == ["observed", "wet", "same"]
    np.testing.assert_allclose(maps["observed"], mean, rtol=1e-6)
    np.testing.assert_allclose(maps["wet"], 2 * mean, rtol=1e-6)
    np.testing.assert_allclose(wet, mean, rtol=1e-6)
    np.testing.assert_allclose(same, 0 * mean)


def test_both_are_averaged_over_the_steps_that_both_have(truth):
    gaps = truth.where(truth.time > truth.time[2])
    maps, _ = shown(time_means(truth, 2 * gaps.assign_attrs(truth.attrs)))
    np.testing.assert_allclose(maps["observed"], truth.values[3:].mean(0)[::-1], rtol=1e-6)


def test_heights_are_contoured_north_above(truth):
    heights = truth[0].drop_vars("time").copy(data=np.linspace(0, 1500, 12)[:, None] * np.ones(16))
    heights = heights.assign_attrs(units="m", standard_name="surface_altitude").rename("orog")
    figure = time_means(truth, truth, topography=heights)
    (contours,) = {
        tuple(each.levels) for panel in figure.axes for each in panel.collections if hasattr(each, "levels")
    }
    np.testing.assert_allclose(contours, [300, 600, 900, 1200])
    lines = next(each for each in figure.axes[0].collections if hasattr(each, "levels")).get_paths()
    lowest, highest = (lines[index].vertices[:, 1].mean() for index in (0, -1))
    assert lowest > highest  # the ground rises with the row, and rows go south


def test_what_cannot_be_drawn_is_refused(truth):
    with pytest.raises(DimensionError, match="no time to average over"):
        time_means(truth[0], truth[0])
    with pytest.raises(DimensionError, match="static field 'topography' has no value"):
        time_means(truth, truth, topography=truth[0, :6].drop_vars("time"))
