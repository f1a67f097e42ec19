"""Members beside each other, through time, and moving."""

import numpy as np
import pytest
import xarray as xr

from tests.support import rain
from xdownscale.errors import DimensionError, OptionalDependencyError, ValueRangeError
from xdownscale.plot import animation, series, stamps

pytest.importorskip("matplotlib", reason="pictures need matplotlib")


@pytest.fixture(scope="module")
def truth():
    return rain((6, 12, 16))


@pytest.fixture(scope="module")
def ensemble(truth):
    return xr.concat([truth, 2 * truth, 3 * truth], "member").assign_attrs(truth.attrs)


def shown(figure):
    return {panel.get_title(): panel.images[0].get_array().data for panel in figure.axes[:-1]}


def test_stamps_show_the_truth_and_every_member_north_above(ensemble, truth):
    frames = shown(stamps(ensemble, truth, step=-1))
    assert list(frames) == ["truth", "member 0", "member 1", "member 2"]
    np.testing.assert_array_equal(frames["truth"], truth.values[-1, ::-1])
    np.testing.assert_allclose(frames["member 2"], 3 * truth.values[-1, ::-1])
    assert list(shown(stamps(ensemble, most=2))) == ["member 0", "member 1"]


def test_stamps_choose_the_wettest_step(ensemble):
    wet = ensemble.where(ensemble.time != ensemble.time[4], 80.0)
    np.testing.assert_array_equal(shown(stamps(wet))["member 0"], np.full((12, 16), 80.0))


def test_stamps_of_a_field_without_time(ensemble, truth):
    frames = shown(stamps(ensemble.isel(time=2, drop=True), truth.isel(time=2, drop=True)))
    np.testing.assert_array_equal(frames["truth"], truth.values[2, ::-1])


def test_stamps_refuse_what_does_not_fit(ensemble, truth):
    with pytest.raises(DimensionError, match="Pass 0 to 5"):
        stamps(ensemble, step=6)
    with pytest.raises(DimensionError, match=r"\['x'\] differ"):
        stamps(ensemble, truth.isel(x=slice(0, 8)))
    with pytest.raises(DimensionError, match="expand_dims"):
        stamps(truth)


def test_an_animation_has_a_picture_for_each_step(ensemble, truth, tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    path = animation(
        ensemble.isel(time=slice(0, 3)), tmp_path / "rain.gif", truth=truth.isel(time=slice(0, 3))
    )
    assert [each.name for each in tmp_path.iterdir()] == ["rain.gif"]
    with pillow.open(path) as picture:
        assert picture.n_frames == 3
        frames = []
        for number in range(3):
            picture.seek(number)
            frames.append(np.asarray(picture.convert("RGB")))
    assert (frames[0] != frames[1]).any()


def test_an_animation_that_fails_leaves_no_file(ensemble, truth, tmp_path):
    with pytest.raises(ValueRangeError, match=r"rain\.gif"):
        animation(ensemble, tmp_path / "rain.avi")
    with pytest.raises(DimensionError, match="stamps"):
        animation(ensemble.isel(time=0), tmp_path / "rain.gif")
    with pytest.raises(DimensionError, match="differ"):
        animation(ensemble, tmp_path / "rain.gif", truth=truth.isel(x=slice(0, 8)))
    assert not list(tmp_path.iterdir())


def test_moving_pictures_for_video_need_ffmpeg(ensemble, tmp_path, monkeypatch):
    from matplotlib.animation import FFMpegWriter

    monkeypatch.setattr(FFMpegWriter, "isAvailable", classmethod(lambda cls: False))
    with pytest.raises(OptionalDependencyError, match=r"rain\.gif"):
        animation(ensemble, tmp_path / "rain.mp4")


def test_a_series_is_the_mean_over_cells_or_a_place(ensemble, truth):
    lines = series(ensemble, truth).axes[0].lines
    np.testing.assert_allclose(lines[1].get_ydata(), 2 * truth.mean(("y", "x")))
    np.testing.assert_allclose(lines[3].get_ydata(), 2 * truth.mean(("y", "x")))
    np.testing.assert_allclose(lines[4].get_ydata(), truth.mean(("y", "x")))
    place = series(ensemble, truth, at={"y": 50_400, "x": -1_400}).axes[0]
    np.testing.assert_allclose(place.lines[4].get_ydata(), truth.values[:, 0, 2])
    with pytest.raises(DimensionError, match="lat"):
        series(ensemble, at={"lat": 3})
    with pytest.raises(DimensionError, match="needs time"):
        series(ensemble.isel(time=0, drop=True))
