"""The whole way through `downscale`, against a posterior in closed form."""

import numpy as np
import pytest
import torch
import xarray as xr

import xdownscale
from tests.prior_oracle import FIELD, exact_prior, fine_field
from xdownscale.diffusion.schedule import NoiseLevel
from xdownscale.errors import ArgumentError
from xdownscale.models.prior import GuidanceSettings, PriorSettings, paper_preset
from xdownscale.models.prior_seen import Scale
from xdownscale.models.transform import LogRain, Standard
from xdownscale.operators import BlockMean, Points, Stack

MEMBERS = 200


def posterior(frames, operator, values, errors):
    """Mean and covariance of the standardised field given what is seen."""
    covariance = FIELD.covariance(frames)
    unit = torch.eye(len(covariance), dtype=torch.float64).reshape(-1, *operator.inside)
    matrix = operator(unit).flatten(1).T.numpy()
    crossed = covariance @ matrix.T
    gain = np.linalg.solve(matrix @ crossed + np.diag(errors**2), crossed.T).T
    return gain @ values, covariance - gain @ crossed.T


def drawn(coarse, **more):
    fine = coarse.sr.downscale(exact_prior(), spatial=4, temporal=3, members=MEMBERS, **more)
    return (fine.values.reshape(MEMBERS, -1).astype(float) - 280.0) / 2.0


def off(members, law):
    """Error of the mean and ratio of spreads, beyond what so many members leave to chance."""
    mean, covariance = law
    spread = np.sqrt(np.diag(covariance).mean())
    chance = spread / np.sqrt(MEMBERS)
    error = np.sqrt(max(0.0, ((members.mean(0) - mean) ** 2).mean() - chance**2))
    return error / spread, np.sqrt(members.var(0, ddof=1).mean()) / spread


def test_rain_far_above_its_bound_is_looked_at_with_the_slope_of_the_bound():
    scale = Scale(LogRain(), centre=0.5, spread=2.0)
    x = torch.tensor([1.0, 3.5, 60.0, 200.0], requires_grad=True)
    looked = scale.looked_at(x)
    (slope,) = torch.autograd.grad(looked.sum(), x)
    wanted = torch.expm1(torch.tensor([2.5, 7.5, 7.5, 7.5]))
    torch.testing.assert_close(looked, wanted)
    torch.testing.assert_close(slope, 2.0 * (wanted + 1))


SHAPE = (1, 3, 8, 8)
MEANS = BlockMean(SHAPE, (3, 4, 4))


def test_members_are_those_of_the_posterior_given_block_means():
    coarse = fine_field(3).sr.coarsen(4, 3)
    values = (coarse.values.astype(float).ravel() - 280.0) / 2.0
    law = posterior(3, MEANS, values, np.full(4, 0.1))
    error, ratio = off(drawn(coarse), law)
    assert error < 0.05
    assert ratio == pytest.approx(1, abs=0.05)


def test_the_error_is_in_the_units_of_the_field():
    coarse = fine_field(3).sr.coarsen(4, 3)
    values = (coarse.values.astype(float).ravel() - 280.0) / 2.0
    members = drawn(coarse, error=1.2)
    error, ratio = off(members, posterior(3, MEANS, values, np.full(4, 0.6)))
    assert error < 0.05
    assert ratio == pytest.approx(1, abs=0.05)
    spread = MEANS(torch.from_numpy(members.reshape(-1, *SHAPE))).flatten(1).std(0).mean()
    wanted = MEANS(torch.from_numpy(drawn(coarse).reshape(-1, *SHAPE))).flatten(1).std(0).mean()
    assert spread > 2 * wanted


def stations():
    return xr.DataArray(
        [[283.0, 279.0]],
        dims=("time", "station"),
        coords={
            "time": [np.datetime64("2020-01-01T01:30", "ns")],
            "y": ("station", [1500.0, 6000.0]),
            "x": ("station", [2000.0, 5250.0]),
            "error": 0.4,
        },
        name="tas",
        attrs={"units": "K"},
    )


def test_stations_draw_members_towards_them_by_the_right_amount():
    coarse = fine_field(3).sr.coarsen(4, 3)
    places = torch.tensor([[1.5, 1.5, 2.0], [1.5, 6.0, 5.25]], dtype=torch.float64)
    points = Points(SHAPE, places, torch.zeros(2, dtype=torch.long))
    values = (coarse.values.astype(float).ravel() - 280.0) / 2.0
    both = np.concatenate([values, [1.5, -0.5]])
    law = posterior(3, Stack([MEANS, points]), both, np.array([0.1] * 4 + [0.2] * 2))
    members = drawn(coarse, observations=stations())
    error, ratio = off(members, law)
    assert error < 0.05
    assert ratio == pytest.approx(1, abs=0.05)
    alone, _ = off(drawn(coarse), law)
    assert alone > 0.3  # stations matter


def test_missing_cells_are_not_seen_and_stay_missing():
    coarse = fine_field(3).sr.coarsen(4, 3)
    coarse[0, 0, 1] = np.nan
    fine = coarse.sr.downscale(exact_prior(), spatial=4, temporal=3, members=2)
    assert np.isnan(fine.values[:, :, :4, 4:]).all()
    assert np.isfinite(fine.values[:, :, 4:]).all()


def test_snapshots_are_seen_at_their_frames():
    fine = fine_field(6).assign_attrs(cell_methods="time: point")
    coarse = fine.sr.coarsen(1, 3)
    model = exact_prior()
    model.variables = (model.variables[0].__class__("tas", "K", "air_temperature", "time: point"),)
    members = coarse.sr.downscale(model, temporal=3, members=4, error=0.02)
    np.testing.assert_allclose(members.isel(time=[0, 3]).mean("member"), fine.isel(time=[0, 3]), atol=0.06)
    assert float(members.isel(time=1).std("member").mean()) > 0.3


@pytest.mark.parametrize("factors", [{"spatial": 2}, {"spatial": (4, 2), "temporal": 2}, {"temporal": 4}])
def test_any_factors_and_block_means_to_the_stated_error_or_exactly(factors):
    fine = fine_field(4)
    coarse = fine.sr.coarsen(**factors)
    near = coarse.sr.downscale(exact_prior(), **factors, members=2, error=0.02)
    back = near.astype(float).sr.coarsen(**factors)
    assert 0.005 < float(np.sqrt(((back - coarse) ** 2).mean())) < 0.04
    exact = coarse.sr.downscale(exact_prior(), **factors, members=2, error=0.02, conserve="cell")
    np.testing.assert_allclose(
        exact.astype(float).sr.coarsen(**factors), np.broadcast_to(coarse, back.shape), atol=1e-4
    )


def test_a_member_is_the_same_alone_and_in_company_lazy_and_in_memory():
    coarse = fine_field(4).sr.coarsen(4, 2)
    three = coarse.sr.downscale(exact_prior(), spatial=4, temporal=2, members=3, seed=5)
    one = coarse.sr.downscale(exact_prior(), spatial=4, temporal=2, members=1, seed=5)
    np.testing.assert_allclose(one[0], three[0], atol=1e-3)
    lazy = coarse.chunk(time=1, y=1).sr.downscale(exact_prior(), spatial=4, temporal=2, members=3, seed=5)
    assert lazy.chunks is not None
    np.testing.assert_allclose(lazy, three, atol=1e-3)
    assert not np.allclose(three[0], three[1])


@pytest.mark.slow
def test_a_long_trajectory_has_no_seams():
    """Windows of seven frames answer for three: changes across their borders are those inside, and those of the law."""
    coarse = fine_field(25).sr.coarsen(8, 25)
    fine = coarse.sr.downscale(exact_prior(7, 2), spatial=8, temporal=25, members=12, error=20.0)
    x = (fine.values.astype(float) - 280.0) / 2.0
    alike = np.array([np.mean(x[:, t] * x[:, t + 1]) / np.mean(x[:, t] ** 2) for t in range(24)])
    borders = np.arange(4, 20, 3)
    inside = np.setdiff1d(np.arange(4, 20), borders)
    assert alike[borders].mean() == pytest.approx(alike[inside].mean(), rel=0.05)
    law = np.diag(FIELD.covariance(2)[:64, 64:]).mean()
    assert alike.mean() == pytest.approx(law, rel=0.06)


def test_a_domain_of_several_tiles_is_drawn_as_one():
    fine = xr.concat([fine_field(3)] * 2, "y", join="override").assign_coords(
        y=("y", np.arange(16) * 1000.0, {"units": "m"})
    )
    coarse = fine.sr.coarsen(4, 3)
    members = coarse.sr.downscale(exact_prior(margin=2), spatial=4, temporal=3, members=8)
    jumps = np.abs(np.diff(members.values, axis=2)).mean((0, 1, 3))
    assert jumps[[3, 7, 11]].mean() == pytest.approx(np.delete(jumps, [3, 7, 11]).mean(), rel=0.15)
    back = members.astype(float).sr.coarsen(4, 3)
    assert float(np.sqrt(((back - coarse) ** 2).mean())) < 0.3


def test_the_model_file_gives_the_same_members(tmp_path):
    model = exact_prior()
    again = xdownscale.load(model.save(tmp_path / "prior.safetensors"))
    assert again.sha256 == model.sha256
    assert again.method.settings == model.method.settings
    coarse = fine_field(3).sr.coarsen(4, 3)
    pair = [coarse.sr.downscale(each, spatial=4, temporal=3, members=2) for each in (model, again)]
    np.testing.assert_array_equal(*pair)


def test_samplers_and_guidance_are_chosen_and_recorded():
    coarse = fine_field(3).sr.coarsen(4, 3)
    model = exact_prior().with_guidance("sda")
    fine = coarse.sr.downscale(model, spatial=4, temporal=3, sampler="predictor-corrector", steps=8)
    assert fine.attrs["xdownscale_sampler"] == "predictor-corrector, 8 steps, guidance sda"
    for sampler in ("dpm", "heun", "ddim"):
        near = coarse.sr.downscale(exact_prior(), spatial=4, temporal=3, sampler=sampler, steps=12)
        back = near.astype(float).sr.coarsen(4, 3)
        assert float(np.abs(back - coarse).max()) < 1.0


def test_the_papers_preset_is_what_was_published():
    preset = paper_preset(["psl", "tas", "uas", "vas"])
    assert preset["errors"] == (0.1693, 0.0425, 0.3268, 0.3268)
    assert preset["guidance"] == GuidanceSettings("sda-free", 7.2e-4)
    assert exact_prior().with_guidance("climate2weather").sampler.startswith("predictor-corrector, 256 steps")
    with pytest.raises(ArgumentError, match="gives no error for"):
        paper_preset(["pr"])


def test_the_denoiser_is_that_of_the_field():
    """x̂₀ of a window in closed form: the silenced network adds nothing to the linear denoiser."""
    level = NoiseLevel.from_ratio(torch.tensor(0.8, dtype=torch.float64))
    x_t = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))
    covariance = torch.from_numpy(FIELD.covariance(3))
    noisy = level.alpha**2 * covariance + level.sigma**2 * torch.eye(len(covariance))
    wanted = level.alpha * torch.linalg.solve(noisy, covariance @ x_t.double().flatten(1).T).T
    found = exact_prior().method.denoiser()(x_t, level).flatten(1).double()
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampler": "ddpm"}, "a prior is drawn by one of"),
        ({"sampler": "none"}, "is not known"),
        ({"cells": 7}, "multiple of"),
        ({"blanket": 2}, "blanket=2"),
        ({"overlap": 8}, "overlap=8"),
        ({"margin": 3}, "margin=3"),
        ({"linear": True, "prediction": "noise"}, "tells the velocity"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(change, message):
    own = {"cells": 8, "frames": 3, "blanket": 1, "overlap": 4, "size": exact_prior().method.settings.size}
    with pytest.raises(ArgumentError, match=message):
        PriorSettings((Standard(),), (0.0,), (1.0,), (0.1,), **{**own, **change})


@pytest.mark.parametrize("change", [{"kind": "dps"}, {"gamma": 0.0}, {"iterations": 0}])
def test_guidance_that_is_none_is_refused(change):
    with pytest.raises(ArgumentError):
        GuidanceSettings(**change)
