"""The training loss: pairs against the kernel, propriety by simulation, filters as they are described."""

import numpy as np
import pytest
import torch

from xdownscale.kernels.crps import crps_ensemble
from xdownscale.models.recipe import TERMS, ScoreWeights
from xdownscale.models.transform import LogRain, Standard
from xdownscale.training.losses import ensemble_score, pair_score
from xdownscale.training.terms import IN_BOTH_UNITS, IN_LATENT_UNITS
from xdownscale.training.terms.border import across_borders
from xdownscale.training.terms.place import by_place
from xdownscale.training.terms.sliced import random_filters


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_pairs_equal_the_sorted_kernel(count):
    stacked = torch.randn(1 + count, 50, generator=torch.Generator().manual_seed(count), dtype=torch.float64)
    expected = crps_ensemble(stacked[0], stacked[1:], alpha=0.95)
    torch.testing.assert_close(pair_score(stacked, 0.95), expected)


@pytest.mark.parametrize(("alpha", "count"), [(0.95, 2), (0.95, 3), (1.0, 2)])
def test_a_partly_fair_score_is_least_for_too_little_spread(alpha, count):
    """E|N(0, s²)| = s·√(2/π): the score of Gaussian members of spread f is √(1 + f²) − c·f/√2, least at c/√(2 − c²)."""
    c = 1 - (1 - alpha) / count
    best = c / np.sqrt(2 - c**2)
    spread = np.linspace(0.8, 1.2, 4001)
    expected = np.sqrt(1 + spread**2) - c * spread / np.sqrt(2)
    assert spread[expected.argmin()] == pytest.approx(best, abs=2e-4)
    source = torch.Generator().manual_seed(0)
    drawn = torch.randn(1 + count, 400_000, generator=source)
    drawn[1:] *= best
    found = float(pair_score(drawn, alpha).mean()) / np.sqrt(2 / np.pi)
    assert found == pytest.approx(expected.min(), rel=5e-3)


def test_every_weight_has_a_term_and_every_term_a_weight():
    assert {*TERMS} == {*IN_BOTH_UNITS, *IN_LATENT_UNITS}


def test_filters_have_unit_size_and_mostly_no_mean():
    filters = random_filters(16, torch.Generator().manual_seed(0))
    loud = torch.tensor([1.0, 1.0, 1.0, 3.0]).repeat(4)
    torch.testing.assert_close(filters.abs().sum((1, 2, 3)), loud)
    means = filters.sum((1, 2, 3)).abs()
    assert (means < 1e-5).sum() == 12


def test_a_quarter_of_the_filters_is_blind_to_gradients_in_space_and_time():
    filters = random_filters(16, torch.Generator().manual_seed(0))
    space, time = torch.arange(5.0) - 2, torch.arange(3.0) - 1
    for ramp in (space, space[:, None], time[:, None, None]):
        response = (filters * ramp).sum((1, 2, 3)).abs()
        assert (response[3::4] < 1e-5).all()
        assert (response[:3] > 1e-3).all()


def _score(members, truth):
    return float(
        ensemble_score(
            members,
            truth,
            transform=Standard(),
            unit=1.0,
            weights=ScoreWeights(alpha=1.0),
            windows=torch.ones(len(truth)),
            blocks=(3, 10, 10),
            generator=torch.Generator().manual_seed(9),
        )
    )


def test_the_true_law_scores_best():
    """Smooth noise as truth; too little spread, too much, and the right marginals with the wrong texture all lose."""
    source = torch.Generator().manual_seed(0)

    def smooth(*shape):
        white = torch.randn(*shape, 6, 32, 32, generator=source)
        return torch.nn.functional.avg_pool2d(white.flatten(0, -4), 3, 1).unflatten(0, shape) * 3

    truth, members = smooth(64), smooth(2, 64)
    right = _score(members, truth)
    assert right < _score(0.7 * members, truth)
    assert right < _score(1.3 * members, truth)
    assert right < _score(torch.randn(members.shape, generator=source), truth)


def test_windows_count_by_their_weight():
    truth = torch.zeros(2, 3, 12, 12)
    members = torch.stack([torch.stack([torch.zeros(3, 12, 12), torch.ones(3, 12, 12)])] * 2)
    score = lambda w: float(  # noqa: E731
        ensemble_score(members, truth, transform=LogRain(), unit=1.0, weights=ScoreWeights(), blocks=(3, 4, 4),
                       windows=torch.tensor(w), generator=torch.Generator().manual_seed(0))
    )  # fmt: skip
    assert score([1.0, 0.0]) == 0
    assert score([0.0, 2.0]) == pytest.approx(2 * score([0.0, 1.0]))


def test_seams_between_coarse_cells_lose():
    """The right law with a step at every border of ten cells scores worse, and the term of borders says so itself."""
    source = torch.Generator().manual_seed(0)
    truth, members = (
        torch.randn(32, 3, 30, 30, generator=source),
        torch.randn(2, 32, 3, 30, 30, generator=source),
    )
    seams = torch.arange(30).div(10, rounding_mode="floor") % 2 * 1.0
    assert _score(members, truth) < _score(members + seams, truth)
    across_y, across_x = across_borders(torch.stack([seams.expand(1, 1, 30, 30)] * 2), (3, 10, 10))
    assert across_y.shape == (2, 1, 1, 2, 30)
    assert (across_y == 0).all()
    assert across_x.shape == (2, 1, 1, 30, 2)
    assert (across_x.abs() == 1).all()


STANDARD = Standard()


def _only(members, truth, seed=0, transform=STANDARD, **weights):
    return float(
        ensemble_score(members, truth, transform=transform, unit=1.0, weights=ScoreWeights().only(**weights),
                       windows=torch.ones(len(truth)), blocks=(3, 10, 10),
                       generator=torch.Generator().manual_seed(seed))
    )  # fmt: skip


def test_pools_are_scored_by_their_amount_and_not_by_the_mean_of_logarithms():
    """log(1 + P/ε) of 0 and 7 mm/h has the mean of that of 1 mm/h, and it is 3.5 times as much."""
    truth = torch.ones(1, 1, 8, 8)
    cells = torch.arange(8)
    members = torch.where((cells[:, None] + cells) % 2 == 0, 7.0, 0.0).expand(2, 1, 1, 8, 8)
    score = _only(members, truth, transform=LogRain(epsilon=0.2), pooled=1.0, physical=0.0)
    assert score == pytest.approx(np.log1p(3.5 / 0.2) - np.log1p(1 / 0.2), rel=1e-5)


def test_waves_and_level_sets_take_turns_and_are_what_both_would_be_on_average():
    source = torch.Generator().manual_seed(0)
    truth, members = (torch.randn(*n, 1, 40, 40, generator=source) for n in ((2,), (2, 2)))
    waves, shapes = (_only(members, truth, **{term: 1.0}) for term in ("spectral", "levels"))
    both = {_only(members, truth, seed=seed, spectral=1.0, levels=1.0) for seed in range(8)}
    assert sorted(both) == pytest.approx(sorted([2 * waves, 2 * shapes]))


def test_a_faint_lattice_is_plain_to_means_by_place_and_lost_on_cells():
    source = torch.Generator().manual_seed(0)
    truth, members = (torch.randn(*n, 3, 60, 60, generator=source) for n in ((16,), (2, 16)))
    rows = torch.arange(60)
    lattice = 0.15 * (1 - 2.0 * ((rows[:, None] + rows) % 2))
    for score, least, most in (("place", 1.1, 2.0), ("cell", 1.0, 1.02)):
        clean, faint = (_only(each, truth, **{score: 1.0}) for each in (members, members + lattice))
        assert least * clean < faint < most * clean


def test_means_by_place_see_what_is_rougher_at_one_side_of_a_cell():
    source = torch.Generator().manual_seed(0)
    field = torch.randn(2, 1, 3, 60, 60, generator=source)
    field[..., ::10] *= 2
    values, roughness = by_place(field, (3, 10, 10)).mean((0, 1, 3)).unbind(0)
    assert values.shape == (10, 10)
    assert values[:, 1:].abs().max() < 0.35
    assert roughness[:, 0].min() > 1.2 * roughness[:, 2:9].max()


def test_flicker_loses_to_what_persists_where_the_truth_persists():
    """The right law at every moment, drawn anew at every step: cells see no difference, increments do."""
    source = torch.Generator().manual_seed(0)

    def fields(*shape, steps):
        return torch.randn(*shape, steps, 20, 20, generator=source).expand(*shape, 6, 20, 20)

    truth, lasting, flicker = fields(32, steps=1), fields(2, 32, steps=1), fields(2, 32, steps=6)
    assert _only(flicker, truth, cell=1.0) < 1.05 * _only(lasting, truth, cell=1.0)
    assert _only(lasting, truth, increment=1.0) == 0
    assert _only(flicker, truth, increment=1.0) > 0.1


def test_a_region_whose_amount_swings_loses_though_cells_hardly_see_it():
    """White noise, and in members a swing of a fifth of its deviation, the same for all cells of a region at a step."""
    source = torch.Generator().manual_seed(0)
    truth, members = (torch.randn(*n, 6, 40, 40, generator=source) for n in ((16,), (2, 16)))
    swinging = members + 0.2 * torch.randn(2, 16, 6, 1, 1, generator=source)
    for score, least, most in (("cell", 1.0, 1.02), ("regional", 2.0, 10.0)):
        steady, swings = (_only(each, truth, **{score: 1.0}) for each in (members, swinging))
        assert least * steady < swings < most * steady


def test_the_loss_has_a_gradient_for_every_member():
    members = torch.rand(2, 1, 3, 24, 24, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    truth = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    ensemble_score(members, truth, transform=LogRain(), unit=2.0, weights=ScoreWeights(), blocks=(3, 4, 4),
                   windows=torch.ones(1), generator=torch.Generator().manual_seed(0)).backward()  # fmt: skip
    assert np.isfinite(members.grad.numpy()).all()
    assert (members.grad.flatten(1).abs().sum(1) > 0).all()
