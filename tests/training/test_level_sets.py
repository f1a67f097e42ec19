"""Level sets in the loss: the exact functionals of sets, averaged over levels; crumbs and holes that no cell shows."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from xdownscale.kernels.minkowski import minkowski_functionals
from xdownscale.models.recipe import ScoreWeights
from xdownscale.models.transform import LogRain
from xdownscale.training.losses import ensemble_score
from xdownscale.training.terms.level_sets import BANDS, EDGE, EULER, SIDES, SMALL, level_functionals


@pytest.mark.parametrize("nonnegative", [True, False])
def test_a_band_is_the_mean_of_the_exact_functionals_of_its_level_sets(nonnegative):
    """Values are multiples of 0.1, so ten levels between them stand for all levels of a band."""
    values = np.random.default_rng(0).integers(0 if nonnegative else -25, 50, size=(3, 13, 14)) / 10
    values = ndimage.uniform_filter(values, (0, 2, 2)).round(1)
    found = level_functionals(torch.from_numpy(values), nonnegative=nonnegative)
    bands = [low for low in BANDS if low >= 0 or not nonnegative]
    assert found.shape == (3, 6, len(bands))
    for number, low in enumerate(bands):
        sets = values >= (low + 0.05 + 0.1 * np.arange(10))[:, None, None, None]
        expected = [EDGE * edges(sets), EULER * minkowski_functionals(sets)[..., 2] / sets[0, 0].size]
        for side, factor in zip(SIDES, SMALL, strict=True):
            expected += [factor * each for each in crumbs_and_pinholes(sets, side)]
        np.testing.assert_allclose(found[:, :, number].T, np.mean(expected, axis=1), atol=1e-9)


def edges(sets):
    """Sides of cells between a set and what is not of it, per cell."""
    padded = np.pad(sets, [(0, 0), (0, 0), (1, 1), (1, 1)])
    return sum(np.diff(padded, axis=axis).sum((-2, -1)) for axis in (-2, -1)) / sets[0, 0].size


def crumbs_and_pinholes(sets, side):
    """Share of inner cells that an opening takes away, and that a closing fills, by scipy."""
    square, inner = np.ones((1, 1, side, side), bool), slice(side - 1, 1 - side)
    opened, closed = ndimage.binary_opening(sets, square), ndimage.binary_closing(sets, square)
    return [(each[..., inner, inner]).mean((-2, -1)) for each in (sets & ~opened, closed & ~sets)]


def test_small_frames_have_no_room_for_squares():
    assert level_functionals(torch.zeros(2, 6, 20), nonnegative=True).shape == (2, 2, 5)
    assert level_functionals(torch.zeros(2, 7, 20), nonnegative=True).shape == (2, 4, 5)


def _score(members, truth, **weights):
    return float(
        ensemble_score(
            members,
            truth,
            transform=LogRain(),
            unit=2.0,
            weights=ScoreWeights().only(**weights),
            windows=torch.ones(len(truth)),
            blocks=(3, 10, 10),
            generator=torch.Generator().manual_seed(0),
        )
    )


def test_crumbs_show_that_cells_hardly_tell():
    """Members and truth are smooth rain of one law; then members get a wet cell here and there."""
    source = torch.Generator().manual_seed(0)
    noise = torch.randn(3, 4, 3, 80, 80, generator=source)
    smooth = torch.nn.functional.avg_pool2d(noise.flatten(0, 2)[:, None], 9, 1, 4).unflatten(0, (3, 4, 3))[
        :, :, :, 0
    ]
    fields = (40 * smooth).clamp_min(0)
    crumbs = 2.0 * (torch.rand(2, 4, 3, 80, 80, generator=source) < 0.005)
    truth, clean, strewn = fields[0], fields[1:], fields[1:] + crumbs

    def loss_of_crumbs(**weights):
        before, after = (_score(members, truth, **weights) for members in (clean, strewn))
        return (after - before) / abs(before)

    found = {name: loss_of_crumbs(**{name: 1.0}) for name in ("cell", "pooled", "regional", "levels")}
    assert found["levels"] > 0.1
    assert found["levels"] > 5 * max(found["cell"], found["pooled"], found["regional"]), found
