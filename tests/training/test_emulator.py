"""Training of emulators: exact targets, weights between functionals, files, and their place in the loss."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from xdownscale.errors import EmptyFieldError, ModelFileError
from xdownscale.kernels.minkowski import Measure, level_functionals
from xdownscale.models.minkowski import MinkowskiLoss
from xdownscale.nn.emulator import EmulatorSettings
from xdownscale.training.emulator import (
    FrameSampler,
    curve_errors,
    exact_curves,
    load_emulator,
    opened_emulator,
    save_emulator,
    train_emulator,
    trust_in,
    weighed,
)
from xdownscale.training.minkowski import shape_term

SETTINGS = EmulatorSettings("baseline", (0.2, 1.0, 3.0), (0.2, 0.5, 0.8), side=16, widths=(8, 8, 16, 16))


def rain(seed=0):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(6, 40, 48)), (0, 2, 2))
    return np.maximum(np.exp(1.5 * noise / noise.std()) - 0.8, 0).astype(np.float32)


@pytest.fixture(scope="module")
def trained():
    return train_emulator([rain()], SETTINGS, steps=200, batch=16, rate=3e-3, seed=1)


def test_targets_are_exact():
    values = rain()[:, :16, :16]
    found = np.expm1(exact_curves(values, SETTINGS))
    wanted = level_functionals(values, SETTINGS.thresholds, Measure("edges"))
    np.testing.assert_allclose(found[..., :2], wanted[..., :2], rtol=1e-5)
    assert found[2, 1, 2] == pytest.approx(ndimage.label(values[2] >= 1.0)[1])


def test_frames_are_the_same_for_a_step_and_mixtures_are_no_frame():
    sampler = FrameSampler([rain()], SETTINGS, seed=3)
    np.testing.assert_array_equal(sampler.batch(5, 8), sampler.batch(5, 8))
    assert not np.array_equal(sampler.batch(5, 8), sampler.batch(6, 8))
    assert sampler.batch(5, 8).min() >= 0
    known = set(rain().ravel().tolist())
    share = [set(frame.ravel().tolist()) <= known for frame in sampler.batch(7, 40)]
    assert 0.3 < np.mean(share) < 0.9
    assert all(set(f.ravel().tolist()) <= known for f in sampler.batch(7, 8, mixed=False))


def test_fields_without_a_frame_are_refused():
    for field in (rain()[:, :10], 0 * rain(), rain() * np.nan):
        with pytest.raises(EmptyFieldError, match="16 × 16"):
            FrameSampler([field], SETTINGS, seed=0)


def test_variances_settle_at_the_logarithm_of_the_errors():
    errors, variances = torch.tensor([0.1, 2.0, 7.0]), torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.Adam([variances], lr=0.05)
    for _ in range(600):
        optimiser.zero_grad()
        weighed(errors, variances).backward()
        optimiser.step()
    torch.testing.assert_close(variances.detach(), errors.log(), atol=1e-2, rtol=0)


def test_training_lowers_the_error_on_other_frames(trained):
    sampler = FrameSampler([rain(7)], SETTINGS, seed=9)
    frames = sampler.batch(0, 64, mixed=False)
    wanted = torch.from_numpy(exact_curves(frames, SETTINGS))
    with torch.no_grad():
        found = trained(torch.from_numpy(frames), units="mm h-1")
    ours = curve_errors(found, wanted, SETTINGS.levels).mean(0)
    climate = curve_errors(wanted.mean(0, keepdim=True), wanted, SETTINGS.levels).mean(0)
    assert (ours[:2] < 0.8 * climate[:2]).all()


def test_a_file_holds_all_of_it(trained, tmp_path):
    path = tmp_path / "emulator.safetensors"
    save_emulator(trained, path)
    again = load_emulator(path)
    values = torch.from_numpy(rain()[:, :16, :16])
    with torch.no_grad():
        torch.testing.assert_close(again(values, units="mm h-1"), trained(values, units="mm h-1"))
    assert again.settings == trained.settings
    assert not any(weight.requires_grad for weight in again.parameters())
    assert opened_emulator(str(path)) is opened_emulator(str(path))
    path.write_bytes(b"no")
    with pytest.raises(ModelFileError, match="save_emulator"):
        load_emulator(path)


def test_trust_falls_with_the_error(trained):
    values = torch.from_numpy(rain()[:, :16, :16])
    near, far = (trust_in(trained, values, scale) for scale in (1e6, 0.3))
    torch.testing.assert_close(near, torch.ones(6))
    assert ((far > 0) & (far < 1)).all()
    error = (-far.log()).sqrt() * 0.3
    wanted = torch.from_numpy(exact_curves(values.numpy(), SETTINGS))
    with torch.no_grad():
        found = curve_errors(trained(values, units="mm h-1"), wanted, SETTINGS.levels).sum(-1)
    torch.testing.assert_close(error, found, rtol=1e-3, atol=1e-5)


def test_in_a_loss_it_moves_the_prediction_towards_the_truth(trained, tmp_path):
    path = tmp_path / "emulator.safetensors"
    save_emulator(trained, path)
    loss = MinkowskiLoss(emulator=str(path), weight=1.0, warmup=0.0)
    truth = torch.from_numpy(rain()[None, :3, :16, :16])
    options = {
        "loss": loss,
        "forward": torch.log1p,
        "share": 1.0,
        "windows": torch.ones(1),
        "alpha": 1.0,
    }

    def term(values):
        return shape_term(values[None], truth, **options, generator=torch.Generator().manual_seed(0))

    assert float(term(truth)) < 1e-5
    prediction = (truth * 0.5).requires_grad_()
    before = term(prediction)
    before.backward()
    after = term((prediction - 0.5 * prediction.grad / prediction.grad.abs().max()).detach().clamp(0))
    assert float(after) < float(before)
