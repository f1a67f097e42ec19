"""Emulators of Minkowski functionals: what holds by construction, for any weights; and whom they refuse."""

from dataclasses import replace

import pytest
import torch

from xdownscale.errors import DimensionError, UnitsError, ValueRangeError
from xdownscale.nn.emulator import KINDS, Emulator, EmulatorSettings

SETTINGS = EmulatorSettings(
    "baseline", (0.1, 0.5, 1.0, 5.0), (0.1, 0.4, 0.6, 0.9), side=16, widths=(8, 8, 16, 16)
)


def emulator(kind, seed=0, moved=0.3):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = Emulator(replace(SETTINGS, kind=kind))
        for weight in made.parameters():
            weight.data += moved * torch.randn_like(weight)
    return made.eval()


def frames(count=12, seed=0):
    shape = (count, 16, 16)
    return 30 * torch.rand(shape, generator=torch.manual_seed(seed)) ** 6


@pytest.mark.parametrize("kind", KINDS)
def test_curves_of_frames_are_positive_and_frames_are_independent(kind):
    made, values = emulator(kind), frames()
    with torch.no_grad():
        curves = made(values, units="mm h-1")
        assert curves.shape == (12, 4, 3)
        assert (curves >= 0).all()
        folded = made(values.reshape(3, 4, 16, 16), units="mm h-1")
        torch.testing.assert_close(folded, curves.reshape(3, 4, 4, 3), rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(made(values[5], units="mm h-1"), curves[5], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_constrained_curves_are_those_of_sets_for_any_weights(seed):
    with torch.no_grad():
        area, length, _ = torch.expm1(
            emulator("constrained", seed)(frames(), units="mm h-1").double()
        ).unbind(-1)
    assert (area.diff(dim=-1) <= 1e-4).all()
    assert (area <= 256 * (1 + 1e-5)).all()
    assert (length >= 4 * area.sqrt() * (1 - 1e-5)).all()


def test_free_curves_break_what_constrained_ones_keep():
    with torch.no_grad():
        area, length, _ = torch.expm1(emulator("lipschitz", 1)(frames(), units="mm h-1")).unbind(-1)
    assert (area.diff(dim=-1) > 0).any()
    assert (length < 4 * area.sqrt()).any()


@pytest.mark.parametrize("seed", range(3))
def test_a_certified_emulator_keeps_its_bound_under_attack(seed):
    """From random frames, one is moved so that curves change as much as they can for the way it went."""
    made = emulator("certified", seed, moved=0.01)
    x = torch.rand(6, 16, 16, generator=torch.manual_seed(seed))
    offset = 0.01 * torch.randn(6, 16, 16, generator=torch.manual_seed(seed + 9))
    offset.requires_grad_()
    optimiser, ratios = torch.optim.Adam([offset], lr=0.01), []
    for _ in range(60):
        change = (made.of_normalised(x + offset) - made.of_normalised(x)).flatten(1).norm(dim=1)
        ratio = change / offset.flatten(1).norm(dim=1)
        ratios.append(float(ratio.max()))
        optimiser.zero_grad()
        (-ratio.sum()).backward()
        optimiser.step()
    assert ratios[-1] > ratios[0]
    assert 0.01 * made.bound < max(ratios) <= made.bound * (1 + 1e-5)
    assert emulator("lipschitz").bound is None


def test_fields_that_were_normalised_before_are_refused_and_would_be_another_answer():
    """The reference fed its emulator, trained on log-normalised input, with mm/h: here units are part of the call."""
    made, values = emulator("constrained"), frames()
    normalised = made.normalised(values)
    assert 0 <= float(normalised.min()) <= float(normalised.max()) <= 1
    with pytest.raises(UnitsError, match="mm h-1"):
        made(normalised, units="1")
    with torch.no_grad():
        right, wrong = made(values, units="mm h-1"), made(normalised, units="mm h-1")
        assert (right - wrong).abs().max() > 1e-3
        torch.testing.assert_close(right, made.of_normalised(normalised))
        capped = made(values.clamp(max=150.0), units="mm h-1")
        torch.testing.assert_close(
            made(torch.where(values == values.max(), 1e4, values), units="mm h-1"),
            made(torch.where(values == values.max(), 150.0, values), units="mm h-1"),
        )
        torch.testing.assert_close(capped, right)


@pytest.mark.parametrize(
    ("values", "error", "word"),
    [
        (torch.zeros(2, 16, 20), DimensionError, "16 × 16"),
        (torch.zeros(16), DimensionError, "16 × 16"),
        (torch.full((2, 16, 16), -0.1), ValueRangeError, "below 0"),
        (torch.full((2, 16, 16), float("nan")), ValueRangeError, "missing"),
    ],
)
def test_other_fields_are_refused(values, error, word):
    with pytest.raises(error, match=word):
        emulator("baseline")(values, units="mm h-1")


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"kind": "deep"}, "certified"),
        ({"side": 20}, "side"),
        ({"thresholds": (1.0, 0.5, 2.0, 3.0)}, "thresholds"),
    ],
)
def test_wrong_settings_are_refused(wrong, word):
    with pytest.raises(ValueRangeError, match=word):
        replace(SETTINGS, **wrong)
