"""The spectral CRPS: what the waves are, that the truth's law scores best, and that locked lattices show."""

import math

import pytest
import torch

from xdownscale.models.recipe import ScoreWeights
from xdownscale.models.transform import Standard
from xdownscale.training.losses import ensemble_score, pair_score
from xdownscale.training.terms.waves import (
    spectral_functionals,
    taper_of,
    transformed,
    waves_of,
    window_sides,
)

BLOCKS = (1, 2, 2)
SIDE = 32


def gaussian(count, source, *, slope=3.0, size=SIDE):
    """Periodic Gaussian fields (count, 1, size, size) of unit variance with power |k|^-slope beyond an outer scale."""
    y, x = torch.meshgrid(torch.fft.fftfreq(size), torch.fft.fftfreq(size), indexing="ij")
    power = (1 / 144 + y**2 + x**2) ** (-slope / 2)
    white = torch.randn(count, 1, size, size, generator=source)
    return torch.fft.ifft2(torch.fft.fft2(white) * (power / power.mean()).sqrt()).real


def lattice(period):
    """Stripes that repeat after so many cells, of unit variance."""
    along = math.sqrt(2) * torch.cos(2 * math.pi * torch.arange(SIDE) / period + 0.3)
    return along.expand(SIDE, SIDE) / along.square().mean().sqrt()


def scores(members, truth):
    """The mean score of each functional."""
    stacked = torch.cat([truth[None], members])
    return torch.stack([pair_score(part, 1.0).mean() for part in spectral_functionals(stacked, BLOCKS)])


@pytest.fixture(scope="module")
def drawn():
    source = torch.Generator().manual_seed(0)
    truth = gaussian(200, source)
    return truth, gaussian(400, source).unflatten(0, (2, 200)), source


def test_members_that_equal_the_truth_score_nothing(drawn):
    truth = drawn[0]
    assert (scores(torch.stack([truth, truth]), truth) == 0).all()


def test_waves_of_a_window_are_its_transform_without_what_mirrors():
    """Parseval: the waves that are kept, twice where a mirror image was left out, hold all the power of the window."""
    field = torch.randn(1, 1, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    waves = waves_of((8, 8), field)
    parts = transformed(field, (8, 8), waves.chosen)[0, 0, 0, 0, 0]
    taper = taper_of(8, field)[:, None] * taper_of(8, field)
    tapered = (field[0, 0, 0] - (field[0, 0, 0] * taper).sum() / taper.sum()) * taper
    own = [(4, 0), (0, 4), (4, 4)]  # these are their own mirror images
    places = waves.chosen.nonzero().tolist()
    twice = torch.tensor([1.0 if tuple(place) in own else 2.0 for place in places], dtype=torch.float64)
    found = (parts.square().sum(-1) * twice).sum() / 64 * taper.square().sum()
    torch.testing.assert_close(found, tapered.square().sum())
    assert len(places) == 33


def test_white_noise_has_waves_of_unit_power():
    """But for the longest, of which the taper has taken off what it takes for the mean."""
    field = torch.randn(1, 1, 50, 64, 64, generator=torch.Generator().manual_seed(0))
    waves = waves_of((8, 8), field)
    power = transformed(field, (8, 8), waves.chosen).square().sum(-1).mean((0, 1, 2, 3, 4))
    short = waves.loudness > waves.loudness.mean()
    assert float(power[short].mean()) == pytest.approx(1, abs=0.02)
    assert float(power.min()) > 0.5


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("too rough", lambda members, source: gaussian(400, source, slope=2.0).unflatten(0, (2, 200))),
        ("too smooth", lambda members, source: gaussian(400, source, slope=4.0).unflatten(0, (2, 200))),
        ("too little spread", lambda members, _: 0.7 * members),
        ("too much spread", lambda members, _: 1.4 * members),
        ("a checkerboard", lambda members, _: members + 0.3 * (-1.0) ** torch.arange(SIDE)),
    ],
)
def test_the_true_law_scores_best(drawn, name, change):
    truth, members, _ = drawn
    source = torch.Generator().manual_seed(1)
    assert scores(members, truth).sum() < scores(change(members, source), truth).sum(), name


def test_waves_and_bands_see_a_wrong_spectrum_of_right_margins(drawn):
    """White noise has the right margins; every functional but that of phases must say that it is wrong."""
    truth, members, source = drawn
    right, wrong = scores(members, truth), scores(torch.randn(members.shape, generator=source), truth)
    assert wrong[0] > 1.2 * right[0]
    assert wrong[2] > 3 * right[2]


def test_every_wave_counts_in_one_band_and_shares_add_up_to_one():
    """Waves of a window of 8 × 8: along x, diagonal and along y by length; the mean of equal powers is that power."""
    band = waves_of((8, 8), torch.zeros(())).band
    assert ((band > 0).sum(1) == 1).all()
    torch.testing.assert_close(band.sum(0), torch.ones(band.shape[1]))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("diagonals to the axes", lambda angle: torch.cos(4 * angle)),
        ("one diagonal to the other", lambda angle: torch.sin(2 * angle)),
    ],
)
def test_bands_see_power_that_went_from_some_directions_to_others(drawn, name, change):
    """A lattice, or streaks, with the right power at every wavelength: half of that of some directions is elsewhere."""
    truth, members, _ = drawn
    y, x = torch.meshgrid(torch.fft.fftfreq(SIDE), torch.fft.fftfreq(SIDE), indexing="ij")
    turned = 1 + 0.5 * change(torch.atan2(y, x))  # its mean over directions is one
    leaning = torch.fft.ifft2(torch.fft.fft2(members) * turned.sqrt()).real
    right, wrong = scores(members, truth), scores(leaning, truth)
    assert wrong[2] > 1.25 * right[2], name


@pytest.mark.parametrize("period", [2, 4])
def test_a_lattice_locked_to_the_cells_shows_in_the_locked_waves(drawn, period):
    """In single windows it is lost in the spread, in their mean it stands out; where it lies anywhere it does not."""
    truth, members, source = drawn
    right = scores(members, truth)
    locked = scores(members + 0.1 * lattice(period), truth) / right
    assert locked[1] > 1.3
    assert locked[1] - 1 > 5 * (locked[0] - 1)
    flip = torch.randint(0, 2, (2, 200, 1, 1, 1), generator=source) * 2 - 1
    anywhere = scores(members + 0.1 * flip * lattice(period), truth) / right
    assert locked[1] - 1 > 2 * (anywhere[1] - 1)


def test_windows_are_whole_cells_and_a_smaller_field_has_none():
    assert window_sides((3, 10, 4)) == (40, 16)
    assert window_sides((3, 3, 1)) == (12, 8)
    assert spectral_functionals(torch.zeros(3, 1, 1, 6, 16), BLOCKS) == []


def test_what_lies_in_a_window_decides_alone():
    """Moving a field by two coarse cells moves its waves by one window and changes nothing else."""
    field = torch.randn(1, 1, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    here = spectral_functionals(field, BLOCKS)[0]
    moved = spectral_functionals(field[..., 4:, :], BLOCKS)[0]
    torch.testing.assert_close(here[:, :, :, 1:], moved)


def test_the_loss_takes_it_by_its_weight_and_has_a_gradient():
    source = torch.Generator().manual_seed(0)
    truth = gaussian(2, source)
    members = gaussian(4, source).unflatten(0, (2, 2)).requires_grad_(True)

    def loss(spectral):
        weights = ScoreWeights().only(spectral=spectral, physical=0.0, alpha=1.0)
        return ensemble_score(
            members,
            truth,
            transform=Standard(),
            unit=1.0,
            weights=weights,
            windows=torch.ones(2),
            blocks=BLOCKS,
            generator=source,
        )

    assert float(loss(0.0).detach()) == 0
    assert float(loss(2.0).detach()) == pytest.approx(2 * float(scores(members, truth).sum().detach()))
    loss(1.0).backward()
    assert torch.isfinite(members.grad).all()
    assert (members.grad.flatten(1).abs().sum(1) > 0).all()


def test_flat_fields_have_a_finite_gradient():
    fields = torch.zeros(3, 1, 1, 16, 16, requires_grad=True)
    sum(part.sum() for part in spectral_functionals(fields, BLOCKS)).backward()
    assert torch.isfinite(fields.grad).all()
