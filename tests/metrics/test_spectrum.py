import numpy as np
import pytest
import xarray as xr

from tests.metrics.samples import label, sample
from tests.support import raise_if_dask_computes
from xdownscale.errors import DimensionError, TimeAxisError
from xdownscale.metrics import dry_frames, lsd, lsd_noise_floor, power_spectrum


def rings_by_hand(frame):
    """Mean |F|²/N² over modes with the same rounded wavenumber, from the full transform."""
    power = np.abs(np.fft.fft2(frame - frame.mean())) ** 2 / frame.size**2
    size = len(frame)
    k = np.fft.fftfreq(size) * size
    ring = np.rint(np.hypot(k[:, None], k[None, :])).astype(int)
    return np.array([power[ring == r].mean() for r in range(1, size // 2 + 1)])


@pytest.mark.parametrize("size", [15, 16])
def test_equals_the_full_transform(size):
    frame = np.random.default_rng(0).gamma(0.5, 2.0, (size, size))
    found = power_spectrum(xr.DataArray(frame, dims=("y", "x")))
    np.testing.assert_allclose(found, rings_by_hand(frame))
    np.testing.assert_allclose(found.wavenumber, np.arange(1, size // 2 + 1) / size)


def test_power_adds_up_to_the_variance():
    k = 2 * np.pi * np.arange(32) / 32
    frame = 3 + np.cos(4 * k)[None, :] + 0.5 * np.sin(7 * k)[:, None]
    found = power_spectrum(xr.DataArray(frame, dims=("y", "x")))
    modes = np.rint(np.hypot(*np.meshgrid(np.fft.fftfreq(32) * 32, np.fft.fftfreq(32) * 32)))
    total = sum(float(p) * (modes == r).sum() for r, p in enumerate(found.values, start=1))
    np.testing.assert_allclose(total, frame.var())


def test_wavenumbers_are_physical_on_oblong_grids():
    x, y = np.arange(64) * 2.0, np.arange(20) * 4.0
    wave = np.cos(2 * np.pi * x / 16)[None, :] + 0 * y[:, None]
    field = xr.DataArray(wave, dims=("y", "x"), coords={"y": y[::-1], "x": ("x", x, {"units": "km"})})
    found = power_spectrum(field)
    np.testing.assert_allclose(float(found.idxmax()), 1 / 16)
    np.testing.assert_allclose(found.wavenumber.max(), 1 / 8)
    assert found.wavenumber.attrs["units"] == "cycles per km"


def test_window_lays_bare_a_steep_spectrum():
    ramp = xr.DataArray(np.linspace(0, 1, 64) * np.ones((64, 1)), dims=("y", "x"))
    plain, tapered = power_spectrum(ramp), power_spectrum(ramp, window="hann")
    assert tapered.isel(wavenumber=20) < 1e-3 * plain.isel(wavenumber=20)
    noise = xr.DataArray(np.random.default_rng(0).normal(size=(50, 32, 32)), dims=("time", "y", "x"))
    np.testing.assert_allclose(
        power_spectrum(noise, window="hann").mean(), power_spectrum(noise).mean(), rtol=0.02
    )


def test_spectrum_averages_what_it_is_told():
    _, ensemble = sample()
    by_member = power_spectrum(ensemble, dim="time")
    assert by_member.dims == ("member", "wavenumber")
    xr.testing.assert_allclose(by_member.mean("member"), power_spectrum(ensemble).drop_attrs())
    assert power_spectrum(ensemble).attrs["units"] == "mm2 h-2"
    with pytest.raises(DimensionError, match=r"\['z'\]"):
        power_spectrum(ensemble, dim="z")


def test_spectrum_is_lazy_and_leaves_out_incomplete_frames_when_asked():
    observations, _ = sample()
    holed = observations.copy()
    holed[0, 2, 2] = np.nan
    with raise_if_dask_computes():
        lazy = power_spectrum(holed.chunk(time=1, y=4), skipna=True)
    xr.testing.assert_allclose(lazy.compute(), power_spectrum(observations.isel(time=[1, 2])))
    assert power_spectrum(holed).isnull().all()


def test_lsd_of_scaled_fields_is_the_scale_in_decibels():
    observations, _ = sample()
    assert lsd(observations, observations) == 0
    np.testing.assert_allclose(lsd(observations, 0.5 * observations), 20 * np.log10(2))
    np.testing.assert_allclose(lsd(observations, observations + 7), 0, atol=1e-9)


@pytest.mark.parametrize(("frames", "distance"), [(1, 1.73), (16, 0.36)])
def test_lsd_of_two_samples_of_white_noise(frames, distance):
    chance = np.random.default_rng(0)
    one, two = (label(chance.normal(size=(frames, 64, 64)), ("time", "y", "x")) for _ in range(2))
    np.testing.assert_allclose(lsd(one, two), distance, rtol=0.35)


def test_lsd_takes_the_power_of_members_not_of_their_mean():
    chance = np.random.default_rng(0)
    truth = label(chance.normal(size=(8, 32, 32)), ("time", "y", "x"))
    ensemble = label(chance.normal(size=(10, 8, 32, 32)), ("member", "time", "y", "x"))
    assert lsd(truth, ensemble) < 1
    assert lsd(truth, ensemble.mean("member")) > 8


def test_dry_frames_enter_the_mean_and_dry_samples_have_no_distance():
    observations, ensemble = sample()
    half = observations.where(observations.time != observations.time[0], 0)
    assert lsd(half, half * 2).notnull()
    dry = xr.zeros_like(observations)
    assert lsd(dry, ensemble).isnull()
    assert 90 < lsd(observations, dry) <= 100


def test_lsd_weighs_frames():
    observations, ensemble = sample()
    first = xr.DataArray([1.0, 0.0, 0.0], dims="time")
    expected = lsd(observations.isel(time=[0]), ensemble.isel(time=[0]))
    np.testing.assert_allclose(lsd(observations, ensemble, weights=first), expected)
    spread_out = (first + 0 * observations).transpose("x", "time", "y")
    np.testing.assert_allclose(lsd(observations, ensemble, weights=spread_out), expected)
    by_frame = lsd(observations, ensemble, dim=("y", "x"))
    np.testing.assert_allclose(by_frame[0], expected)


def test_what_has_no_spectrum_is_refused():
    observations, _ = sample()
    uneven = observations.assign_coords(x=np.arange(16.0) ** 2)
    with pytest.raises(DimensionError, match="evenly spaced"):
        power_spectrum(uneven)
    with pytest.raises(DimensionError, match="2 by 2"):
        power_spectrum(observations.isel(x=[0]))
    with pytest.raises(DimensionError, match="'x'"):
        power_spectrum(observations.rename(x="eta"))
    power_spectrum(observations.rename(x="eta"), dims={"x": "eta"})


@pytest.mark.parametrize("window", [None, "hann"])
def test_the_noise_floor_is_the_distance_of_halves(window):
    observations, ensemble = sample("random", shape=(8, 12, 16))
    even, odd = (observations.isel(time=slice(start, None, 2)).drop_vars("time") for start in (0, 1))
    found = lsd_noise_floor(observations, ensemble, window=window)
    np.testing.assert_allclose(found, lsd(even, odd, window=window))


def test_two_samples_of_one_process_are_at_the_noise_floor():
    observations, other = sample("random", members=1, shape=(200, 16, 16))
    floor = lsd_noise_floor(observations, other) / np.sqrt(2)
    distance = lsd(observations, other)
    assert 0.5 * floor < distance < 2 * floor
    assert lsd(observations, 1.2 * other) > 3 * floor


def test_dry_frames_are_counted_and_have_no_part():
    observations, ensemble = sample("random", shape=(6, 12, 16))
    dry = xr.ones_like(observations.time, dtype=float)
    dry[[1, 4]] = 0
    some = observations * dry, ensemble * dry
    kept = {"time": [0, 2, 3, 5]}
    assert dry_frames(*some) == 2
    assert dry_frames(observations * dry, ensemble) == 0
    np.testing.assert_allclose(lsd(*some), lsd(observations.isel(kept), ensemble.isel(kept)))
    np.testing.assert_array_equal(dry_frames(*some, dim=()), 1 - dry)
    assert lsd(observations * dry, ensemble) > lsd(*some)


def test_the_noise_floor_needs_two_times():
    observations, ensemble = sample(shape=(1, 12, 16))
    with pytest.raises(TimeAxisError, match="longer field"):
        lsd_noise_floor(observations, ensemble)
