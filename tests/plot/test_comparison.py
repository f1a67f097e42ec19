"""The picture: which frames it shows, in which units and direction, and what it refuses."""

import sys
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

import xdownscale
from tests.support import rain
from xdownscale.errors import DimensionError, OptionalDependencyError
from xdownscale.plot import comparison

pytest.importorskip("matplotlib", reason="pictures need matplotlib")


@pytest.fixture(scope="module")
def truth():
    return rain((6, 12, 16))


@pytest.fixture(scope="module")
def coarse(truth):
    return truth.sr.coarsen(spatial=4, temporal=3)


@pytest.fixture(scope="module")
def ensemble(truth):
    return xr.concat([truth, 2 * truth, 3 * truth], "member").assign_attrs(truth.attrs)


def shown(figure):
    """Images by title of their column, row after row, without the colour bar."""
    columns, title = {}, ""
    for panel in figure.axes[:-1]:
        title = panel.get_title() or title
        columns.setdefault(title.split("\n")[0], []).append(panel.images[0].get_array().data)
    return columns


def test_a_step_is_shown_with_its_fine_steps(coarse, ensemble, truth):
    columns = shown(comparison(coarse, ensemble, truth, step=1))
    assert list(columns) == ["coarse input", "member 0", "member 1", "mean of 3 members", "truth"]
    frames = truth.values[3:, ::-1]  # y descends in the field; the picture has north above
    np.testing.assert_array_equal(columns["coarse input"], [coarse.values[1, ::-1]])
    np.testing.assert_allclose(columns["member 1"], 2 * frames)
    np.testing.assert_allclose(columns["mean of 3 members"], 2 * frames)
    np.testing.assert_array_equal(columns["truth"], frames)


def test_north_is_above_whatever_the_direction_of_y(coarse, ensemble, truth):
    turned = [field.isel(y=slice(None, None, -1)) for field in (coarse, ensemble, truth)]
    straight, reverse = (shown(comparison(*fields, step=0)) for fields in ((coarse, ensemble, truth), turned))
    for title, frames in straight.items():
        np.testing.assert_array_equal(frames, reverse[title])


def test_the_wettest_step_is_chosen(coarse, ensemble):
    wet = coarse.where(coarse.time > coarse.time[0], 100.0)
    np.testing.assert_array_equal(shown(comparison(wet, ensemble))["coarse input"], np.full((1, 3, 4), 100.0))


def test_rain_of_any_units_is_shown_in_millimetres_an_hour(coarse, ensemble, truth):
    flux = [
        (field / 3600).assign_attrs(truth.attrs | {"units": "kg m-2 s-1"})
        for field in (coarse, ensemble, truth)
    ]
    expected, figure = comparison(coarse, ensemble, truth), comparison(*flux)
    for title, frames in shown(expected).items():
        np.testing.assert_allclose(shown(figure)[title], frames)
    assert figure.axes[-1].get_ylabel() == expected.axes[-1].get_ylabel() == "rain [mm/h]"


def test_classes_of_rain_and_colours(coarse, ensemble):
    image = comparison(coarse, ensemble).axes[1].images[0]
    dry, light, heavy, gap = image.cmap(image.norm(np.ma.masked_invalid([0.05, 0.1, 60.0, np.nan])))
    np.testing.assert_array_equal(dry, [1, 1, 1, 1])
    assert len({tuple(dry), tuple(light), tuple(heavy), tuple(gap)}) == 4
    bounds = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]
    assert len({tuple(image.cmap(image.norm(np.ma.array(b)))) for b in bounds}) == 9


def test_other_fields_share_a_continuous_scale(coarse, ensemble):
    warm = {"units": "K", "standard_name": "air_temperature", "long_name": "temperature"}
    fields = [(field + 280).rename("tas").assign_attrs(warm) for field in (coarse, ensemble)]
    figure = comparison(*fields)
    assert figure.axes[-1].get_ylabel() == "temperature [K]"
    assert len({panel.images[0].get_clim() for panel in figure.axes[:-1]}) == 1


def test_a_field_without_time_has_one_row(coarse, ensemble, truth):
    frame = {"time": 0, "drop": True}
    figure = comparison(coarse.isel(**frame), ensemble.isel(**frame), truth.isel(**frame))
    assert [len(frames) for frames in shown(figure).values()] == [1, 1, 1, 1, 1]


def test_labels_say_when_and_how_far(coarse, ensemble):
    figure = comparison(coarse, ensemble, step=0)
    assert [panel.get_ylabel() for panel in figure.axes[1:4]] == [
        f"2020-07-01\n12:{minute:02d}" for minute in (0, 5, 10)
    ]
    assert figure.axes[0].get_title() == "coarse input\n15 min mean"
    assert figure.axes[0].get_xlabel() == "5 km"


@pytest.mark.parametrize("columns", [3, 8])
def test_titles_do_not_overlap_on_narrow_maps(columns):
    """Maps twice and five times as high as wide: titles are wrapped, and their panels as wide as they are."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    fine = rain((3, 16, columns))
    members = xr.concat([fine] * 10, "member").assign_attrs(fine.attrs)
    figure = comparison(fine.isel(time=[0]), members, fine)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    titles = [panel.title for panel in figure.axes if panel.get_title()]
    assert "mean of 10\nmembers" in [title.get_text() for title in titles]
    places = [title.get_window_extent(canvas.get_renderer()) for title in titles[1:]]
    assert all(left.x1 < right.x0 for left, right in pairwise(places))
    assert titles[0].get_window_extent(canvas.get_renderer()).x0 >= 0


def test_a_file_is_written(coarse, ensemble, tmp_path):
    comparison(coarse, ensemble, path=tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_fields_that_do_not_belong_together(coarse, ensemble, truth):
    with pytest.raises(DimensionError, match="expand_dims"):
        comparison(coarse, truth)
    with pytest.raises(DimensionError, match="no multiple"):
        comparison(coarse, ensemble.isel(time=slice(0, 5)))
    with pytest.raises(DimensionError, match="Pass 0 to 1"):
        comparison(coarse, ensemble, step=2)
    with pytest.raises(DimensionError, match="has no step"):
        comparison(coarse, ensemble, truth.isel(time=slice(1, 3)), step=0)
    with pytest.raises(DimensionError, match=r"\['x'\] differ"):
        comparison(coarse, ensemble, truth.isel(x=slice(0, 8)))


def test_without_matplotlib_the_error_says_what_to_install(coarse, ensemble, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(OptionalDependencyError, match="pip install"):
        comparison(coarse, ensemble)


def test_a_dataset_is_refused_with_the_call_for_one_variable(coarse, ensemble, truth):
    fields = {"coarse": coarse, "ensemble": ensemble, "truth": truth}
    one, other = (each.rename("rain").to_dataset().assign(tas=each + 280) for each in (coarse, ensemble))
    for given in (fields | {"coarse": one}, fields | {"coarse": one.drop_vars("rain"), "ensemble": other}):
        with pytest.raises(DimensionError, match="one variable, and coarse") as caught:
            comparison(**given)
        figure = eval(
            str(caught.value).partition("Choose one: ")[2].rstrip("."), {"xdownscale": xdownscale, **given}
        )
        assert len(shown(figure)) == 5
