"""Curves against closed forms and against the scores they stand for."""

import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import missing, sample
from tests.support import rain
from xdownscale import metrics, plot
from xdownscale.errors import DimensionError
from xdownscale.evaluate import evaluate

pytest.importorskip("matplotlib", reason="pictures need matplotlib")


def curve(panel, number=0):
    return np.asarray(panel.lines[number].get_xydata()).T


def heights(panel):
    return np.array([bar.get_height() for bar in panel.containers[0]])


def band(panel):
    (area,) = (p for p in panel.patches if p.get_label() == "95 % of chance")
    return area.get_y(), area.get_y() + area.get_height()


def test_bars_are_the_rank_histogram():
    observations, ensemble = sample("tied")
    observations = missing(observations)
    figure = plot.rank_histogram(observations, {"a": ensemble, "mean": ensemble.mean("member")})
    assert len(figure.axes) == 1  # a mean has no ranks
    expected = 8 * metrics.rank_histogram(observations, ensemble, skipna=True)
    np.testing.assert_allclose(heights(figure.axes[0]), expected)
    with pytest.raises(DimensionError, match="two members"):
        plot.rank_histogram(observations, ensemble.isel(member=0, drop=True))


def _showers(members, *, seed=0, spread=1.0):
    """Rain of which most is dry everywhere: a calibrated ensemble, or one that is too narrow."""
    chance = np.random.default_rng(seed)
    rainy = np.where(chance.random((60, 50)) < 0.2, 2.0, -9.0)
    values = np.maximum(rainy + spread * chance.normal(size=(members, 60, 50)), 0)
    attrs = {"units": "mm h-1", "standard_name": "rainfall_rate"}
    return xr.DataArray(values, dims=("member", "time", "x"), attrs=attrs)


def test_ranks_of_rain_are_those_of_wet_cells():
    """Cells that are dry in all would lift every bar of a narrow ensemble to almost 1; a calibrated one stays flat."""
    all_members = _showers(8)
    truth, good = all_members.isel(member=0), all_members.isel(member=slice(1, None))
    narrow = good.mean("member") + 0.3 * (good - good.mean("member"))
    wet, every, flat = (
        plot.rank_histogram(truth, each.assign_attrs(truth.attrs), threshold=threshold).axes[0]
        for each, threshold in ((narrow, "auto"), (narrow, None), (good, "auto"))
    )
    assert heights(wet)[0] > 2
    assert heights(every)[0] < 1 + 0.3 * (heights(wet)[0] - 1)
    low, high = band(flat)
    assert ((heights(flat) > low) & (heights(flat) < high)).mean() >= 0.8
    assert "at least 0.1 mm/h" in wet.get_title(loc="left")
    strict = plot.rank_histogram(truth, good, threshold=2.0).axes[0]
    kept = np.maximum(truth, good.max("member")) >= 2.0
    expected = 8 * metrics.rank_histogram(truth.where(kept), good, skipna=True)
    np.testing.assert_allclose(heights(strict), expected)


@pytest.mark.parametrize(
    "draw",
    [
        plot.rank_histogram,
        plot.spread_skill,
        plot.quantiles,
        plot.spectra,
        lambda o, f: plot.reliability(o, f, 1.0),
        lambda o, f: plot.gamma_curves(o, f, thresholds=[1.0]),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_swapped_arguments_are_refused(draw, named):
    observations, ensemble = sample()
    with pytest.raises(DimensionError, match="swap them"):
        draw({"net": ensemble} if named else ensemble, observations)


@pytest.mark.parametrize("independent", ["time", None])
def test_the_band_holds_a_calibrated_ensemble_and_not_a_narrow_one(independent):
    chance = np.random.default_rng(3)
    signal = chance.normal(size=(40, 60))

    def draw(members, width):
        values = signal + width * chance.normal(size=(members, 40, 60))
        return xr.DataArray(values, dims=("member", "time", "x"))

    truth = draw(1, 1.0).isel(member=0)
    good, narrow = (
        plot.rank_histogram(truth, draw(9, s), independent=independent).axes[0] for s in (1.0, 0.5)
    )
    low, high = band(good)
    assert ((heights(good) > low) & (heights(good) < high)).mean() >= 0.8
    assert heights(narrow)[0] > 2 * band(narrow)[1]
    if independent is None:
        np.testing.assert_allclose(high - 1, 1.96 * np.sqrt(9 / 2400))


def test_frames_that_repeat_a_cell_have_the_band_of_frames():
    chance = np.random.default_rng(5)
    values = chance.normal(size=(5, 50, 1)) * np.ones(30)
    truth, ensemble = (
        xr.DataArray(v, dims=d)
        for v, d in ((values[0], ("time", "x")), (values[1:], ("member", "time", "x")))
    )
    wide = band(plot.rank_histogram(truth, ensemble).axes[0])[1] - 1
    np.testing.assert_allclose(wide, 1.96 * np.sqrt(4 / 50), rtol=0.15)


def test_reliability_of_probabilities_that_are_right():
    chance = np.random.default_rng(1)
    probability = chance.integers(0, 5, 20_000) / 4
    members = np.arange(4)[:, None] < 4 * probability
    truth = xr.DataArray((chance.random(20_000) < probability).astype(float), dims="x")
    ensemble = xr.DataArray(members.astype(float), dims=("member", "x"))
    above, below = plot.reliability(truth, ensemble, 1.0).axes
    said, happened = curve(above, 1)
    np.testing.assert_allclose(said, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(happened, said, atol=0.03)
    assert curve(below)[1].sum() == 20_000


def test_reliability_merges_the_probabilities_of_many_members_and_leaves_out_missing_cases():
    chance = np.random.default_rng(1)
    truth = missing(xr.DataArray(chance.random(3000), dims="x"))
    ensemble = xr.DataArray(chance.random((40, 3000)), dims=("member", "x"))
    above, below = plot.reliability(truth, ensemble, 0.5).axes
    assert curve(above, 1)[0].size <= 11
    assert curve(below)[1].sum() == int(truth.notnull().sum())


def test_spread_is_error_for_a_calibrated_ensemble():
    chance = np.random.default_rng(2)
    width = chance.uniform(0.5, 3, 40_000)
    draws = width * chance.normal(size=(6, 40_000))
    truth, ensemble = xr.DataArray(draws[0], dims="x"), xr.DataArray(draws[1:], dims=("member", "x"))
    spread, error = curve(plot.spread_skill(truth, ensemble).axes[0])
    assert spread.size == 10
    np.testing.assert_allclose((spread**2).mean(), (error**2).mean(), rtol=0.03)
    np.testing.assert_allclose(
        np.sqrt((spread**2).mean() / (error**2).mean()),
        metrics.spread_skill_ratio(truth, ensemble),
        rtol=1e-6,
    )
    assert np.corrcoef(spread, error)[0, 1] > 0.9


def test_quantiles_are_percentiles_that_the_sample_has():
    observations, ensemble = sample("random")
    ours, theirs = curve(plot.quantiles(observations, ensemble).axes[0], 1)
    wanted = [50, 75, 90, 95, 98, 99, 99.5, 99.8]  # one of 576 values is beyond the last
    np.testing.assert_allclose(ours, np.percentile(observations, wanted))
    np.testing.assert_allclose(theirs, np.percentile(ensemble, wanted))


def test_quantiles_of_both_are_in_the_units_that_are_shown():
    truth = rain()
    flux = (truth / 3600).assign_attrs(truth.attrs | {"units": "kg m-2 s-1"})
    x, y = curve(plot.quantiles(flux, truth).axes[0], 1)
    np.testing.assert_allclose(x, y, rtol=1e-6)


def test_spectra_of_frames_that_all_have_gaps_say_so():
    fine = rain((4, 24, 24))
    gaps = fine.where(fine["x"] > fine["x"][2])
    figure = plot.spectra(gaps, {"same": gaps})
    assert "missing cells" in figure.axes[0].get_title()


def test_spectra_are_those_of_the_score():
    truth = rain((3, 24, 24))
    above, below = plot.spectra(truth, {"half": truth / 2, "same": truth}, factor=6).axes
    power = metrics.power_spectrum(truth)
    length, drawn = curve(above)
    np.testing.assert_allclose(drawn, power)
    np.testing.assert_allclose(length, 1e-3 / power.wavenumber)
    np.testing.assert_allclose(curve(below, 1)[1], 20 * np.log10(0.5))
    np.testing.assert_allclose(curve(below, 2)[1], 0, atol=1e-9)
    marks = [line.get_xdata()[0] for line in above.lines if len(set(line.get_xdata())) == 1]
    np.testing.assert_allclose(marks, [12.0])  # two coarse cells of six kilometres
    assert below.get_xlabel() == "wavelength [km]"


def test_scores_along_a_scale_with_their_bounds():
    observations, ensemble = sample("random", shape=(8, 12, 16))
    models = {"net": ensemble, "mean": ensemble.mean("member")}
    scores = evaluate(observations, models, metrics=["mae"], scales=(1, 2, 4), by={"lead": 2}, bootstrap=20)
    figure = plot.along(scores, "mae")
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["lead 0", "lead 1"]
    x, y = curve(figure.axes[1], 1)
    np.testing.assert_array_equal(x, [1, 2, 4])
    np.testing.assert_allclose(y, scores.mae.sel(model="mean", lead=1))
    bars = np.array(figure.axes[1].collections[1].get_segments())
    np.testing.assert_allclose(bars[:, 0, 1], scores.mae_low.sel(model="mean", lead=1))
    np.testing.assert_allclose(bars[:, 1, 1], scores.mae_high.sel(model="mean", lead=1))
    with pytest.raises(DimensionError, match="scales="):
        plot.along(scores, "rmse")
    with pytest.raises(DimensionError, match="along 'season'"):
        plot.along(scores, "mae", "season")


def test_labels_that_are_words_are_written_below():
    scores = xr.Dataset({"mae": ("season", [1.0, 3.0, 2.0])}, coords={"season": ["DJF", "MAM", "JJA"]})
    panel = plot.along(scores, "mae", "season").axes[0]
    assert [text.get_text() for text in panel.get_xticklabels()] == ["DJF", "MAM", "JJA"]
    np.testing.assert_array_equal(curve(panel)[1], [1, 3, 2])


def test_the_overview_has_a_panel_for_each_plain_score():
    observations, ensemble = sample("random", shape=(8, 12, 16))
    models = {"net": ensemble, "few": ensemble.isel(member=slice(3))}
    scores = evaluate(
        observations, models, metrics=["mae", "ssim"], thresholds=1, bootstrap=20, reference="few"
    )
    figure = plot.overview(scores)
    names = [panel.get_title(loc="left").split(" ")[0] for panel in figure.axes]
    assert names == ["mae", "ssim", "brier_score"]  # fss has scales
    dot, interval = figure.axes[0].lines[0], figure.axes[0].lines[1]
    np.testing.assert_allclose(dot.get_xdata(), scores.mae.sel(model="net"))
    np.testing.assert_allclose(interval.get_xdata(), [scores.mae_low[0], scores.mae_high[0]])
    perfect = figure.axes[1].lines[-1].get_xdata()[0]
    assert perfect == 1.0
    with pytest.raises(DimensionError, match="along"):
        plot.overview(scores[["fss"]])


def test_notebooks_show_a_picture_by_itself():
    observations, ensemble = sample("random")
    assert plot.rank_histogram(observations, ensemble)._repr_png_().startswith(b"\x89PNG")


def test_pictures_are_written_to_files(tmp_path):
    observations, ensemble = sample("random")
    for name, draw in (
        ("rank", plot.rank_histogram),
        ("values", plot.quantiles),
        ("spread", plot.spread_skill),
    ):
        draw(observations, ensemble, path=tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(tmp_path.iterdir())) == 3


def test_models_differ_in_lightness_for_those_who_see_no_colour():
    from matplotlib.colors import to_rgb

    from xdownscale.plot.style import _MODELS, looks

    shades = [np.dot(to_rgb(colour), (0.2126, 0.7152, 0.0722)) for colour in _MODELS[:2]]
    assert abs(shades[0] - shades[1]) > 0.02
    first = [look for look, _ in zip(looks(), range(7), strict=False)]
    assert len({(look["color"], look["linestyle"]) for look in first}) == 7
    assert len({look["marker"] for look in first[:6]}) == 6
