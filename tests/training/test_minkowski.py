"""The Minkowski image loss: the exact distance when cold, a proper score of members, and gradients that work."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from scipy import ndimage

from xdownscale.errors import ArgumentError, ModelFileError, UnitsError, ValueRangeError
from xdownscale.kernels.minkowski import level_functionals
from xdownscale.metrics import minkowski_crps, minkowski_distance
from xdownscale.models.minkowski import MinkowskiLoss
from xdownscale.models.recipe import Recipe
from xdownscale.models.transform import LogRain
from xdownscale.nn.emulator import Emulator, EmulatorSettings
from xdownscale.nn.soft_minkowski import soft_functionals
from xdownscale.training.emulator import save_emulator
from xdownscale.training.loss_terms import thresholds_of, with_loss, with_thresholds
from xdownscale.training.minkowski import shape_score, shape_term, signed_log, squared_error
from xdownscale.training.patches import Source

THRESHOLDS, LEVELS = (0.3, 1.0, 4.0), (0.2, 0.5, 0.6)


def fields(*shape, seed=0, smooth=1.0):
    noise = np.random.default_rng(seed).normal(size=shape)
    wide = ndimage.gaussian_filter(noise, (0,) * (len(shape) - 2) + (smooth, smooth))
    return torch.from_numpy(np.exp(wide / wide.std())).float()


def soft(tau, thresholds=THRESHOLDS):
    return lambda values: signed_log(soft_functionals(values, torch.tensor(thresholds), tau))


def cold(members, truth):
    return shape_score(members, truth, soft(1e-5), levels=LEVELS)


def test_cold_it_is_the_exact_score_of_the_metrics():
    members, truth = (
        f.round(decimals=2) + 0.001 for f in (fields(3, 2, 4, 16, 20), fields(2, 4, 16, 20, seed=1))
    )
    dims = ("window", "time", "y", "x")
    observed, ensemble = (
        xr.DataArray(truth.numpy(), dims=dims),
        xr.DataArray(members.numpy(), dims=("member", *dims)),
    )
    options = {"thresholds": THRESHOLDS, "levels": LEVELS, "dim": ()}
    one = minkowski_distance(observed, ensemble.isel(member=0), **options).sum("functional")
    np.testing.assert_allclose(cold(members[:1], truth), one, rtol=1e-4)
    every = minkowski_crps(observed, ensemble, **options).sum("functional")
    np.testing.assert_allclose(cold(members, truth), every, rtol=1e-4)


def test_zero_for_equal_fields_at_every_temperature_and_positive_for_others():
    truth = fields(2, 3, 12, 12)
    for tau in (0.01, 0.5, 3.0):
        assert (shape_score(truth[None], truth, soft(tau), levels=LEVELS) < 1e-5).all()
        assert (shape_score(1.2 * truth[None], truth, soft(tau), levels=LEVELS) > 0).all()


def test_the_law_of_the_truth_has_the_least_expected_score():
    """Members of the truth's own law, of a sharper one, and copies of one typical field."""
    size = torch.from_numpy(np.random.default_rng(9).lognormal(0, 0.8, (3, 800, 1, 1, 1))).float()
    truth, first, second = (fields(800, 1, 12, 12, seed=n) * size[n] for n in range(3))
    honest = torch.stack([first, second])
    alike = torch.stack([fields(800, 1, 12, 12, seed=7)] * 2)
    sharp = torch.stack([fields(800, 1, 12, 12, seed=n, smooth=0.3) * size[n] for n in (1, 2)])
    scores = [float(shape_score(m, truth, soft(0.2), levels=LEVELS).mean()) for m in (honest, alike, sharp)]
    assert scores[0] < min(scores[1:])
    apart = [shape_score(m[:1], truth, soft(0.2), levels=LEVELS).mean() for m in (honest, alike)]
    assert apart[1] < apart[0]  # what a distance of single members would ask for


@pytest.mark.parametrize("seed", [0, 1])
def test_descent_from_noise_brings_the_exact_curves_to_those_of_a_target(seed):
    target = fields(1, 1, 24, 24, seed=seed, smooth=2.0).log()
    levels = tuple(np.log(THRESHOLDS))
    latent = torch.zeros(1, 1, 1, 24, 24) + 0.3 * torch.randn(24, 24, generator=torch.manual_seed(seed))
    latent.requires_grad_()

    def exact(values):
        ours, theirs = (level_functionals(v.detach().numpy(), levels) for v in (values, target))
        logs = [np.sign(c) * np.log1p(np.abs(c)) for c in (ours[0], theirs)]
        return np.abs(logs[0] - logs[1]).mean()

    before = exact(latent)
    optimiser = torch.optim.Adam([latent], lr=0.05)
    for step in range(150):
        tau = MinkowskiLoss().temperature_at(step / 150)
        optimiser.zero_grad()
        shape_score(latent, target, soft(tau, levels), levels=LEVELS).sum().backward()
        optimiser.step()
    assert exact(latent) < 0.25 * before


def test_the_term_warms_up_and_measures_some_frames():
    members, truth = fields(2, 1, 6, 12, 12), fields(1, 6, 12, 12, seed=1)
    loss = MinkowskiLoss(weight=2.0, thresholds=THRESHOLDS, levels=LEVELS, warmup=0.5)
    transform = LogRain()

    def term(share, scale=1.0):
        return shape_term(
            scale * members,
            scale * truth,
            loss=loss,
            forward=transform.forward,
            share=share,
            windows=torch.ones(1),
            alpha=0.98,
            generator=torch.Generator().manual_seed(3),
        )

    assert term(0.0) == 0
    assert term(0.25) > 0
    chosen = int(torch.randint(0, 3, (), generator=torch.Generator().manual_seed(3)))
    frames = slice(chosen, None, 3)
    latents = (transform.forward(members[:, :, frames]), transform.forward(truth[:, frames]))
    levels = transform.forward(torch.tensor(THRESHOLDS))
    wanted = shape_score(
        *latents, soft(loss.temperature_at(1.0), levels.tolist()), levels=LEVELS, alpha=0.98
    ).mean()
    torch.testing.assert_close(term(1.0), 2.0 * wanted)


def test_windows_and_trust_weigh_frames():
    truth = fields(2, 3, 12, 12)
    members = truth[None] * torch.tensor([1.0, 2.0])[:, None, None, None]
    trusted = torch.tensor([[1.0, 1.0, 1.0], [0.5, 0.0, 1.0]])
    plain = shape_score(members, truth, soft(0.1), levels=LEVELS)
    found = shape_score(members, truth, soft(0.1), levels=LEVELS, trusted=trusted)
    torch.testing.assert_close(found, plain * trusted)
    assert squared_error(members, truth, torch.tensor([5.0, 1.0])) == truth[1].square().mean() / 2


def test_terms_by_name():
    plan = Recipe()
    assert with_loss(plan, None, method=None) is plan
    both = with_loss(plan, "mse+minkowski", method="median")
    assert both.squared
    assert both.shapes == MinkowskiLoss()
    own = MinkowskiLoss(weight=3.0)
    assert with_loss(plan, own, method="generator").shapes is own
    assert with_loss(plan, ["mse", own], method="residual") == with_loss(
        plan, [own, "mse"], method="residual"
    )


@pytest.mark.parametrize("loss", ["mae", "mse+mse", "", [], ["minkowski", MinkowskiLoss()], 3.0])
def test_other_terms_are_refused(loss):
    with pytest.raises(ArgumentError, match=r"mse\+minkowski"):
        with_loss(Recipe(), loss, method="median")


def test_the_squared_error_is_none_for_members():
    with pytest.raises(ArgumentError, match="alike"):
        with_loss(Recipe(), "mse", method="generator")


@pytest.mark.parametrize(
    "wrong",
    [
        {"weight": 0.0},
        {"temperature": -1.0},
        {"trust": float("nan")},
        {"warmup": 1.0},
        {"levels": ()},
        {"levels": (0.5, 0.5)},
        {"thresholds": (1.0, 2.0)},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueRangeError, match=next(iter(wrong))):
        MinkowskiLoss(**wrong)


def completed(plan, sources=(), units=("mm h-1",), blocks=(3, 4, 4)):
    return with_thresholds(plan, sources, wet=0.1, units=units, blocks=blocks)


def test_thresholds_are_quantiles_of_wet_training_values():
    values = np.concatenate([np.zeros(50), [np.nan], np.linspace(1, 2, 101)]).astype(np.float32)
    source = Source(values.reshape(8, 1, 19, 1))
    plan = with_loss(Recipe(), MinkowskiLoss(levels=(0.25, 0.5)), method=None)
    np.testing.assert_allclose(completed(plan, [source]).shapes.thresholds, (1.25, 1.5))
    np.testing.assert_allclose(
        thresholds_of([source.values], (0.5,), wet=None), np.median(values[values >= 0])
    )
    given = with_loss(Recipe(), MinkowskiLoss(levels=(0.5,), thresholds=(7.0,)), method=None)
    assert completed(given, [source]) is given


def test_an_emulator_must_have_been_made_for_the_fields(tmp_path):
    path = tmp_path / "emulator.safetensors"
    settings = EmulatorSettings("baseline", (0.1, 1.0), (0.2, 0.8), side=32, widths=(8, 8, 8, 8))
    save_emulator(Emulator(settings), path)
    plan = replace(with_loss(Recipe(), MinkowskiLoss(emulator=str(path)), method=None), cells=8)
    assert completed(plan) is plan
    assert completed(plan, units=("mm/h",)) is plan
    for units in ("kg m-2 s-1", None):
        with pytest.raises(UnitsError, match="mm h-1"):
            completed(plan, units=(units,))
    with pytest.raises(ArgumentError, match="32 × 32"):
        completed(plan, blocks=(3, 5, 4))
    missing = with_loss(Recipe(), MinkowskiLoss(emulator=str(tmp_path / "none")), method=None)
    with pytest.raises(ModelFileError, match="none"):
        completed(missing)
