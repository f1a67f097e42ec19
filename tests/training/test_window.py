"""Windows with gaps: what is scored depends on their known coarse cells alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.small_models import SIZE, model
from xdownscale.kernels.blocks import block_mean, block_repeat
from xdownscale.kernels.crps import crps_ensemble
from xdownscale.models.recipe import Recipe
from xdownscale.models.schedule import Schedule
from xdownscale.training.fit import _Loop
from xdownscale.training.movement import movement_error
from xdownscale.training.patches import Batch
from xdownscale.training.run import Run
from xdownscale.training.window import WindowLoss, draw, opened

BLOCKS = (3, 4, 4)
RECIPE = Recipe(cells=8, frames=3, size=SIZE, schedule=Schedule(members=2, passes=2))
CPU = torch.device("cpu")


def batch(fine):
    """Windows of one target from values (B, T, H, W)."""
    count = len(fine)
    return Batch(fine.astype(np.float32)[:, :, None], None, np.ones(count, np.float32), ("training",) * count)


@pytest.fixture
def fine():
    """Rain with one missing fine cell, and with a missing block beside it."""
    values = np.maximum(np.random.default_rng(0).normal(1, 1, (1, 9, 32, 32)), 0)
    values[0, 4, 9, 9] = np.nan
    values[0, :, 8:16, 12:24] = np.nan
    return values


def loss_of(method, fine, weights=RECIPE.weights, share=1.0):
    source = torch.Generator().manual_seed(0)
    return WindowLoss(replace(RECIPE, weights=weights), (2.0,))(method, batch(fine), source, share)


def test_members_and_truth_are_one_field_where_a_cell_has_a_gap(fine):
    method = model().method
    source = torch.Generator().manual_seed(0)
    drawn = draw(method, batch(fine), members=3, passes=5, source=source)
    missing = block_repeat(block_mean(torch.from_numpy(fine), BLOCKS).isnan(), BLOCKS)
    assert missing.sum() == (6 * 3 + 1) * 48
    assert torch.equal(drawn.known[:, :, 0], ~missing)
    base, truth, members = drawn.base[:, :, 0], drawn.truth[:, :, 0], drawn.members[:, :, :, 0]
    for field in (truth, *members):
        assert torch.equal(field[missing], base[missing])
    np.testing.assert_array_equal(truth[~missing], fine[(~missing).numpy()].astype("f4"))
    means = block_mean(torch.where(missing, torch.nan, members.detach()), BLOCKS)
    wanted = block_mean(torch.from_numpy(fine).float(), BLOCKS).expand_as(means)
    torch.testing.assert_close(means, wanted, equal_nan=True)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_no_term_of_the_loss_looks_at_values_in_a_cell_with_a_gap(fine, share):
    other = fine.copy()
    other[0, 3:6, 8:12, 8:12] += 50.0
    other[0, 5, 10, 10] = np.nan
    method = model().method
    results = []
    for each in (fine, other):
        method.zero_grad()
        loss = loss_of(method, each, share=share)
        loss.backward()
        results.append((loss.detach(), [weight.grad.clone() for weight in method.parameters()]))
    assert torch.equal(results[0][0], results[1][0])
    for first, second in zip(results[0][1], results[1][1], strict=True):
        assert first.isfinite().all()
        assert torch.equal(first, second)


def test_the_score_of_cells_is_the_mean_over_known_ones(fine):
    method = model().method
    weights = replace(
        RECIPE.weights.only(cell=1.0, latent=0.0), drift=0.0, movement=0.0, physical=1.0, alpha=1.0
    )
    loss = float(loss_of(method, fine, weights).detach())
    drawn = draw(method, batch(fine), members=2, passes=2, source=torch.Generator().manual_seed(0))
    crps = crps_ensemble(drawn.truth, drawn.members.detach())[drawn.known] / 2.0
    assert loss == pytest.approx(float(crps.sum()) / fine[0].size, rel=1e-5)
    assert float(crps.sum()) > 0


def test_movement_is_learned_from_known_cells(fine):
    method = model().method
    weights = replace(RECIPE.weights.only(), drift=0.0, movement=1.0)
    loss = float(loss_of(method, fine, weights).detach())
    with torch.no_grad():
        drawn = draw(method, batch(fine), members=2, passes=2, source=torch.Generator().manual_seed(0))
    latent = method.settings.transforms[0].forward(drawn.truth[:, :, 0])
    found = {
        counted: float(
            movement_error(drawn.velocity.float(), latent, blocks=BLOCKS, windows=torch.ones(1), known=known)
        )
        for counted, known in (("known", drawn.known[:, :, 0]), ("all", None))
    }
    assert loss == pytest.approx(found["known"], rel=1e-3)
    assert found["all"] > 1.05 * found["known"]


def test_validation_scores_are_means_over_known_cells(fine):
    whole = np.maximum(np.random.default_rng(1).normal(1, 1, fine.shape), 0)
    method = model().method
    loop = _Loop(method, WindowLoss(RECIPE, (2.0,)), RECIPE.schedule, Run((2.0,)))
    both = batch(np.concatenate([fine, whole]))._replace(weights=np.asarray([1.0, 3.0], np.float32))
    sums = np.zeros(2)
    for number, weight in enumerate(both.weights):
        with torch.no_grad():
            source = loop._generator(-1, number)
            drawn = draw(method, both.part(slice(number, number + 1)), members=6, passes=5, source=source)
        crps = crps_ensemble(drawn.truth, drawn.members)[drawn.known].double().sum()
        sums += weight * np.asarray([float(crps), float(drawn.known.sum())])
    scores = loop.scores(both)
    assert scores["crps"] == pytest.approx(sums[0] / sums[1], rel=1e-5)


def test_a_window_without_gaps_is_as_it_is(fine):
    whole = np.nan_to_num(fine)
    method = model().method
    found = opened(method, batch(whole), CPU)
    assert torch.equal(found.truth[:, :, 0], torch.from_numpy(whole.astype(np.float32)))
    assert found.known.all()
