"""Conservation: exact block means, dry cells dry, no visible cells, a gradient that is right to first order."""

import pytest
import torch

from xdownscale.kernels.blocks import block_mean, block_repeat
from xdownscale.kernels.resize import interpolate_cells
from xdownscale.models import conserve
from xdownscale.models.conserve import conserve_cells, drift, exact_step
from xdownscale.models.transform import Bounded, LogRain, Standard

BLOCKS = (3, 10, 10)


@pytest.fixture
def scene():
    source = torch.Generator().manual_seed(0)
    smooth = torch.nn.functional.avg_pool2d(torch.randn(1, 6, 84, 84, generator=source), 5, 1) * 4
    latent = smooth[:, :, :80, :80]
    coarse = torch.relu(torch.randn(1, 2, 8, 8, generator=source)) * 2
    return latent, coarse


def test_block_means_are_exact_for_rain(scene):
    latent, coarse = scene
    fine = conserve_cells(latent, coarse, transform=LogRain(), blocks=BLOCKS)
    means = block_mean(fine.double(), BLOCKS)
    wet = coarse > 0
    assert ((means - coarse).abs()[wet] / coarse[wet]).max() < 1e-6
    assert (fine[block_repeat(coarse == 0, BLOCKS)] == 0).all()
    assert (fine >= 0).all()


def test_block_means_are_exact_without_rectifier(scene):
    latent, coarse = scene
    fine = conserve_cells(latent, coarse, transform=Standard(1.0, 2.0), blocks=BLOCKS)
    torch.testing.assert_close(block_mean(fine.double(), BLOCKS), coarse.double(), rtol=0, atol=1e-6)


def test_a_wet_cell_without_prediction_rains_where_that_is_least_unlikely():
    """Not all over the cell, which would be a square of drizzle; the cell beside it is left alone."""
    latent = torch.full((1, 1, 4, 8), -2.5)
    latent[0, 0, 1, 2], latent[0, 0, 1, 3], latent[0, 0, :, 4:] = -0.5, -0.6, 1.0
    fine = exact_step(latent, torch.full((1, 1, 1, 2), 0.01), transform=LogRain(), blocks=(1, 4, 4))
    assert (fine[0, 0, :, :4] > 0).nonzero().tolist() == [[1, 2], [1, 3]]
    assert fine[0, 0, 1, 2] > fine[0, 0, 1, 3]
    torch.testing.assert_close(block_mean(fine, (1, 4, 4)), torch.full((1, 1, 1, 2), 0.01))
    torch.testing.assert_close(fine[0, 0, :, 4:], torch.full((4, 4), 0.01))


def test_passes_leave_less_of_a_border_than_the_exact_step_alone(scene):
    latent, coarse = scene
    coarse = coarse + 0.5

    def border(passes):
        v = torch.log1p(conserve_cells(latent, coarse, transform=LogRain(), blocks=BLOCKS, passes=passes))
        jumps = (v[..., 1:] - v[..., :-1]).abs().mean((0, 1, 2))
        at = torch.zeros_like(jumps, dtype=torch.bool)
        at[9::10] = True
        return float(jumps[at].mean() / jumps[~at].mean())

    assert border(8) < 1.05
    assert border(8) - 1 < 0.25 * (border(0) - 1)


def test_momentum_is_worth_more_than_two_passes(scene, monkeypatch):
    latent, coarse = scene
    coarse = coarse + 0.5
    monkeypatch.setattr(conserve, "exact_step", lambda latent, *_, **__: LogRain().inverse(latent))

    def missing(passes):
        fine = conserve_cells(latent, coarse, transform=LogRain(), blocks=BLOCKS, passes=passes)
        return float((block_mean(fine, BLOCKS) / coarse).log().abs().mean())

    five = missing(5)
    assert five == missing(conserve.PASSES)
    monkeypatch.setattr(conserve, "STRIDE", 1.0)
    monkeypatch.setattr(conserve, "MOMENTUM", 0.0)
    assert five < 0.5 * missing(5)
    assert five < missing(7)


def test_a_shift_of_the_latent_field_changes_nothing_and_is_what_drift_sees(scene):
    latent, coarse = scene
    coarse = coarse + 0.5
    settle = lambda v: conserve_cells(v, coarse, transform=LogRain(), blocks=BLOCKS, passes=25)  # noqa: E731
    settled = settle(latent.double() + 3)
    assert (settle(latent.double() + 2.5) - settled).abs().max() < 0.02 * settled.max()
    fitting = LogRain().forward(settled)
    assert drift(fitting, coarse.double(), transform=LogRain(), blocks=BLOCKS) < 1e-9
    assert drift(fitting - 1, coarse.double(), transform=LogRain(), blocks=BLOCKS) > 0.1


def test_the_gradient_agrees_with_finite_differences(scene):
    """For the part of a change that the passes do not take back: a pattern inside cells with little mean."""
    latent, coarse = (x.double() for x in scene)
    coarse = coarse + 1.0
    pattern = torch.randn(latent.shape, generator=torch.Generator().manual_seed(5)).double()
    pattern = pattern - block_repeat(block_mean(pattern, BLOCKS), BLOCKS)
    probe = torch.randn(latent.shape, generator=torch.Generator().manual_seed(6)).double()
    run = lambda v: (  # noqa: E731
        conserve_cells(v, coarse, transform=LogRain(), blocks=BLOCKS, passes=25) * probe
    ).sum()
    above = latent.abs() + 0.5
    variable = above.clone().requires_grad_(True)
    run(variable).backward()
    step = 1e-4
    numeric = (run(above + step * pattern) - run(above - step * pattern)) / (2 * step)
    assert float((variable.grad * pattern).sum()) == pytest.approx(float(numeric), rel=0.1)


@pytest.mark.parametrize("blocks", [(3, 1, 1), (1, 4, 4)])
@pytest.mark.parametrize("passes", [0, 4, 8])
def test_without_rectifier_the_gradient_is_exact_in_every_direction(blocks, passes):
    """A change of block means too, which the passes take back: as if it had an effect, it would be learned from."""
    source = torch.Generator().manual_seed(0)
    size = [blocks[0] * 4, blocks[1] * 5, blocks[2] * 5]
    latent, direction, probe = torch.randn(3, 1, *size, generator=source).double()
    coarse = torch.randn(1, 4, 5, 5, generator=source).double()
    run = lambda v: (  # noqa: E731
        conserve_cells(v, coarse, transform=Standard(1.0, 2.0), blocks=blocks, passes=passes) * probe
    ).sum()
    variable = latent.clone().requires_grad_(True)
    run(variable).backward()
    with torch.no_grad():  # another path of the code, linear in the field
        change = run(latent + direction) - run(latent)
    assert float((variable.grad * direction).sum()) == pytest.approx(float(change), rel=1e-9)


def test_what_is_interpolated_from_blocks_is_taken_off_again():
    """Why the steps of a frame need something of their own: interpolated features, however learned, change nothing."""
    source = torch.Generator().manual_seed(0)
    blocks = (3, 1, 1)
    latent, coarse = torch.randn(1, 18, 4, 4, generator=source), torch.randn(1, 6, 4, 4, generator=source)
    learned = interpolate_cells(torch.randn(1, 6, 4, 4, generator=source), blocks)
    settle = lambda v: conserve_cells(v, coarse, transform=Standard(), blocks=blocks, passes=25)  # noqa: E731
    torch.testing.assert_close(settle(latent + learned), settle(latent), rtol=0, atol=1e-5)


def slopes(run, latent):
    """The gradient that a method learns from."""
    variable = latent.clone().requires_grad_(True)
    run(variable).sum().backward()
    return variable.grad


def test_the_exact_step_passes_the_gradient_of_a_constant_scale_cut_at_two():
    """dP/dv = ε·exp(v)·min(c/m, 2) where it rains, the leak below zero, nothing in a dry cell."""
    rain = LogRain()
    latent = torch.tensor([0.5, 1.5, -0.5, 0.1, 0.3, 0.9]).double().reshape(1, 1, 2, 3)
    inside = torch.where(latent > 0, latent.exp(), 0.1) * rain.epsilon
    obtained = block_mean(rain.inverse(latent.clone()), (1, 2, 3))
    for share in (0.0, 0.3, 1.7, 2.0, 9.0):
        step = lambda v: exact_step(v, share * obtained, transform=rain, blocks=(1, 2, 3))  # noqa: B023, E731
        torch.testing.assert_close(slopes(step, latent), min(share, 2.0) * inside)
        value = step(latent.clone().requires_grad_(True)).detach()
        torch.testing.assert_close(value, share * rain.inverse(latent.clone()))


def test_the_gradient_is_that_of_the_last_pass_with_all_before_it_and_the_scale_held():
    """In double precision against differences of what the documentation says, made of the formulas alone."""
    rain, blocks = LogRain(), (3, 4, 4)
    source = torch.Generator().manual_seed(3)
    latent = torch.rand(1, 6, 12, 12, generator=source).double() + 1.0
    coarse = torch.rand(1, 2, 3, 3, generator=source).double() + 0.5
    probe, direction = torch.randn(2, 1, 6, 12, 12, generator=source).double()

    def moved(v, shift):
        shifted = v + interpolate_cells(shift, blocks)
        last = rain.offset(coarse, block_mean(rain.inverse(shifted.clone()), blocks)).clamp(-2, 2)
        return rain.inverse(shifted + interpolate_cells(last, blocks))

    for passes in (1, 3, 5):
        run = lambda v: conserve_cells(v, coarse, transform=rain, blocks=blocks, passes=passes)  # noqa: B023, E731
        with torch.no_grad():
            shift, move = torch.zeros_like(coarse), torch.zeros_like(coarse)
            for _ in range(passes - 1):
                obtained = block_mean(rain.inverse(latent + interpolate_cells(shift, blocks)), blocks)
                move = 1.25 * rain.offset(coarse, obtained).clamp(-2, 2) + 0.2 * move
                shift = shift + move
            scale = block_repeat(coarse / block_mean(moved(latent, shift), blocks), blocks)
            torch.testing.assert_close(run(latent), moved(latent, shift) * scale)
            near = [moved(latent + h * direction, shift) * scale for h in (1e-5, -1e-5)]
        numeric = ((near[0] - near[1]) / 2e-5 * probe).sum()
        found = slopes(lambda v: run(v) * probe, latent)  # noqa: B023
        torch.testing.assert_close((found * direction).sum(), numeric, rtol=1e-6, atol=1e-8)


def test_values_are_the_same_with_and_without_gradients(scene):
    latent, coarse = (each.double() for each in scene)
    for transform in (LogRain(), Standard(1.0, 2.0)):
        for passes in (0, 1, 2, 5):
            run = lambda v: conserve_cells(v, coarse, transform=transform, blocks=BLOCKS, passes=passes)  # noqa: B023, E731
            torch.testing.assert_close(
                run(latent.clone().requires_grad_(True)).detach(), run(latent), rtol=1e-9, atol=1e-9
            )
            with torch.no_grad():
                torch.testing.assert_close(run(latent), run(latent.clone()))


@pytest.mark.parametrize("wanted", [1e-3, 300.0])
@pytest.mark.parametrize("learns", [False, True])
def test_no_pass_moves_rain_by_more_than_its_bound(wanted, learns, monkeypatch):
    """From −3 to 300 mm/h, or back from 361: one pass goes two units, two go 1.25 times that and two more."""
    monkeypatch.setattr(conserve, "exact_step", lambda latent, *_, **__: latent)
    monkeypatch.setattr(
        conserve, "_settled", lambda latent, shift, *_: latent + interpolate_cells(shift, (1, 1, 2))
    )
    start, towards = (-3.0, 1.0) if wanted > 1 else (7.5, -1.0)
    latent, coarse = torch.full((1, 1, 1, 2), start), torch.full((1, 1, 1, 1), wanted)
    for passes, way in ((0, 0.0), (1, 2.0), (2, 4.5)):
        given = latent.clone().requires_grad_(learns)
        with torch.set_grad_enabled(learns):
            found = conserve_cells(given, coarse, transform=LogRain(), blocks=(1, 1, 2), passes=passes)
        assert found.flatten().tolist() == pytest.approx([start + towards * way] * 2)


def test_runs_of_frames_change_no_bit(scene, monkeypatch):
    latent, coarse = scene
    whole = conserve_cells(latent, coarse, transform=LogRain(), blocks=BLOCKS)
    monkeypatch.setattr(conserve, "RUN", 1)
    frames = torch.cat([latent] * 3, 1), torch.cat([coarse] * 3, 1)
    by_one = conserve_cells(*frames, transform=LogRain(), blocks=BLOCKS)
    monkeypatch.setattr(conserve, "RUN", 2 * latent[:, :3].numel())
    by_two = conserve_cells(*frames, transform=LogRain(), blocks=BLOCKS)
    monkeypatch.setattr(conserve, "RUN", 10**9)
    at_once = conserve_cells(*frames, transform=LogRain(), blocks=BLOCKS)
    assert torch.equal(by_one, at_once)
    assert torch.equal(by_two, at_once)
    assert whole.shape == latent.shape


def test_drift_counts_wet_cells_alone_and_is_a_mean_square():
    latent = torch.zeros(1, 1, 1, 3)  # no rain anywhere
    coarse = torch.tensor([0.0, 0.2, 0.6]).reshape(1, 1, 1, 3)
    offset = 1.3 * torch.tensor([2.0, 4.0]).log()  # (c + ε)/(0 + ε)
    torch.testing.assert_close(
        drift(latent, coarse, transform=LogRain(), blocks=(1, 1, 1)), offset.square().mean()
    )
    assert drift(latent, 0 * coarse, transform=LogRain(), blocks=(1, 1, 1)) == 0
    cold = drift(latent, coarse, transform=Standard(0.2, 2.0), blocks=(1, 1, 1))
    torch.testing.assert_close(cold, torch.tensor([0.1, 0.0, 0.2]).square().mean())


SMALL = (3, 4, 4)
TRANSFORMS = pytest.mark.parametrize("transform", [LogRain(), Standard(1.0, 2.0)])
MODES = pytest.mark.parametrize("learning", [False, True])


@pytest.fixture
def gappy():
    """A latent field that is too low and uneven, wanted block means, and which of them are missing."""
    source = torch.Generator().manual_seed(3)
    latent = torch.randn(1, 12, 40, 40, generator=source).double()
    coarse = 2 + torch.rand(1, 4, 10, 10, generator=source).double()
    coast = torch.nn.functional.avg_pool2d(torch.randn(1, 4, 14, 14, generator=source), 5, 1) < -0.03
    return latent, coarse.masked_fill(coast, torch.nan)


def settled(latent, coarse, transform, *, learning=False, blocks=SMALL, passes=conserve.PASSES):
    """The conserved field, along the code of training or of sampling, and where it is known."""
    latent = latent.clone().requires_grad_(learning)
    with torch.set_grad_enabled(learning):
        fine = conserve_cells(latent, coarse, transform=transform, blocks=blocks, passes=passes)
    return fine.detach(), ~block_repeat(coarse.isnan(), blocks)


@TRANSFORMS
@MODES
def test_block_means_of_known_cells_are_exact_beside_gaps(gappy, transform, learning):
    latent, coarse = gappy
    assert 0.2 < float(coarse.isnan().double().mean()) < 0.6
    fine, _ = settled(latent, coarse, transform, learning=learning)
    known = ~coarse.isnan()
    torch.testing.assert_close(block_mean(fine, SMALL)[known], coarse[known], rtol=1e-9, atol=1e-9)


@TRANSFORMS
@MODES
def test_a_field_that_is_right_is_not_changed_beside_a_gap(gappy, transform, learning):
    """With 0 wanted in the gap its neighbours would be drawn to 0."""
    latent, coarse = gappy
    wanted = transform.inverse(latent.abs() + 1)
    coarse = block_mean(wanted, SMALL).masked_fill(coarse.isnan(), torch.nan)
    fine, known = settled(latent.abs() + 1, coarse, transform, learning=learning)
    torch.testing.assert_close(fine[known], wanted[known], rtol=1e-9, atol=1e-9)


@TRANSFORMS
@MODES
def test_a_field_that_is_off_by_a_constant_is_right_afterwards(gappy, transform, learning):
    """A smooth field: the missing offset is one constant, and no neighbour pulls it down."""
    _, coarse = gappy
    t, y, x = (torch.arange(n).double() for n in (12, 40, 40))
    smooth = 1.5 + 0.3 * torch.sin(t[:, None, None] / 9) * torch.cos(y[:, None] / 15 + x / 11)
    wanted = transform.inverse(smooth[None])
    coarse = block_mean(wanted, SMALL).masked_fill(coarse.isnan(), torch.nan)
    fine, known = settled(smooth[None] - 0.4, coarse, transform, learning=learning, passes=25)
    torch.testing.assert_close(fine[known], wanted[known], rtol=1e-4, atol=1e-4)


@TRANSFORMS
@MODES
def test_known_cells_do_not_depend_on_what_is_drawn_in_missing_ones(gappy, transform, learning):
    latent, coarse = gappy
    first, known = settled(latent, coarse, transform, learning=learning)
    other = torch.where(known, latent, 6.0)
    assert torch.equal(settled(other, coarse, transform, learning=learning)[0][known], first[known])


@TRANSFORMS
@MODES
def test_beside_a_straight_gap_it_is_as_if_the_field_ended_there(gappy, transform, learning):
    latent, coarse = gappy
    coarse = coarse.nan_to_num(nan=2.5)
    ended, _ = settled(latent[..., :24], coarse[..., :6], transform, learning=learning)
    coarse[..., 6:] = torch.nan
    fine, known = settled(latent, coarse, transform, learning=learning)
    torch.testing.assert_close(fine[known], ended.flatten(), rtol=1e-9, atol=1e-9)


@TRANSFORMS
def test_mask_and_field_that_move_together_move_the_result(transform):
    """Bit for bit, as far from the border as the passes reach."""
    source = torch.Generator().manual_seed(1)
    latent, reach = torch.randn(1, 39, 60, 64, generator=source), conserve.PASSES
    coarse = 2 + torch.rand(1, 13, 15, 16, generator=source)
    coarse[torch.rand(coarse.shape, generator=source) < 0.4] = torch.nan
    whole, known = settled(latent, coarse, transform)
    crop, _ = settled(latent[:, 3:, 8:, 4:], coarse[:, 1:, 2:, 1:], transform)
    inner = (..., slice(3 * reach, None), slice(4 * reach, None), slice(4 * reach, None))
    same = whole[:, 3:, 8:, 4:][inner]
    assert 0.4 < float(known.float().mean()) < 0.8
    assert torch.equal(crop[inner], same)
    assert same.numel() > 0


def test_nothing_known_moves_nothing():
    latent = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    fine, _ = settled(latent, torch.full((1, 1, 2, 2), torch.nan), Standard(1.0, 2.0))
    assert torch.equal(fine, Standard(1.0, 2.0).inverse(latent))
    rain, _ = settled(latent, torch.full((1, 1, 2, 2), torch.nan), LogRain())
    assert torch.equal(rain, LogRain().inverse(latent.clone()))


@pytest.mark.parametrize("passes", [0, 5])
def test_without_rectifier_the_gradient_is_exact_beside_gaps(gappy, passes):
    latent, coarse = gappy
    source = torch.Generator().manual_seed(9)
    direction, probe = torch.randn(2, *latent.shape, generator=source).double()
    probe = torch.where(block_repeat(coarse.isnan(), SMALL), 0.0, probe)
    run = lambda v: (  # noqa: E731
        conserve_cells(v, coarse, transform=Standard(1.0, 2.0), blocks=SMALL, passes=passes) * probe
    ).sum()
    variable = latent.clone().requires_grad_(True)
    run(variable).backward()
    with torch.no_grad():
        change = run(latent + direction) - run(latent)
    assert float((variable.grad * direction).sum()) == pytest.approx(float(change), rel=1e-9)
    assert not variable.grad[block_repeat(coarse.isnan(), SMALL)].any()


def test_with_a_rectifier_missing_cells_get_no_gradient_and_all_others_a_finite_one(gappy):
    latent, coarse = gappy
    missing = block_repeat(coarse.isnan(), SMALL)
    variable = latent.clone().requires_grad_(True)
    fine = conserve_cells(variable, coarse, transform=LogRain(), blocks=SMALL)
    loss = fine.masked_fill(missing, 0.0).square().sum() + drift(
        variable, coarse, transform=LogRain(), blocks=SMALL
    )
    loss.backward()
    assert variable.grad.isfinite().all()
    assert not variable.grad[missing].any()
    assert variable.grad[~missing].any()


@TRANSFORMS
def test_drift_is_that_of_the_known_cells(transform):
    latent = torch.full((1, 3, 8, 4), 1.0)
    coarse = torch.full((1, 1, 2, 1), 5.0)
    both = drift(latent, coarse, transform=transform, blocks=SMALL)
    coarse[:, :, 1], latent[:, :, 4:] = torch.nan, 2.0
    one = drift(latent, coarse, transform=transform, blocks=SMALL)
    assert one > 0
    torch.testing.assert_close(one, both)


def test_factors_of_one_leave_the_offsets_as_they_are():
    """Interpolation by one returns its input, which later passes still need: the result is the coarse field."""
    source = torch.Generator().manual_seed(4)
    latent = torch.randn(1, 2, 5, 5, generator=source)
    coarse = torch.rand(1, 2, 5, 5, generator=source)
    fine = conserve_cells(latent.clone(), coarse, transform=LogRain(), blocks=(1, 1, 1))
    torch.testing.assert_close(fine, coarse)
    learned = conserve_cells(
        latent.clone().requires_grad_(True), coarse, transform=LogRain(), blocks=(1, 1, 1)
    )
    torch.testing.assert_close(fine, learned.detach(), rtol=1e-6, atol=1e-6)


LIMITED = [Bounded(50.0, 30.0, 0.0, 100.0), Bounded(5.0, 8.0), Bounded(0.3, 0.5, None, 1.0)]


@pytest.mark.parametrize("transform", LIMITED)
@pytest.mark.parametrize("learning", [False, True])
def test_values_keep_their_limits_and_block_means_are_exact(transform, learning):
    """Block means near and at both limits, and a latent field that goes far beyond them."""
    source = torch.Generator().manual_seed(7)
    low, high = (
        (-4.0 if transform.low is None else transform.low),
        (20.0 if transform.high is None else transform.high),
    )
    latent = 3 * torch.randn(1, 12, 40, 40, generator=source).double()
    coarse = low + (high - low) * torch.rand(1, 4, 10, 10, generator=source).double()
    coarse[..., :2, :], coarse[..., 2:4, :] = low, high
    fine, _ = settled(latent, coarse, transform, learning=learning)
    torch.testing.assert_close(block_mean(fine, SMALL), coarse, rtol=1e-9, atol=1e-9)
    if transform.low is not None:
        assert float(fine.min()) >= transform.low - 1e-9
    if transform.high is not None:
        assert float(fine.max()) <= transform.high + 1e-9
    assert float(fine.var()) > 1e-3 * (high - low) ** 2


def test_far_from_limits_a_bounded_field_moves_by_the_difference_towards_no_limit():
    latent = torch.tensor([0.0, 0.2, 0.4, 0.6]).double().reshape(1, 1, 2, 2)
    wind = Bounded(5.0, 1.0)
    raised = exact_step(latent, torch.full((1, 1, 1, 1), 7.0).double(), transform=wind, blocks=(1, 2, 2))
    torch.testing.assert_close(raised, wind.inverse(latent) + 1.7)
    lowered = exact_step(latent, torch.full((1, 1, 1, 1), 2.65).double(), transform=wind, blocks=(1, 2, 2))
    torch.testing.assert_close(lowered, wind.inverse(latent) / 2)


def test_a_block_mean_beyond_a_limit_is_kept():
    """Packed humidity of 100.2 %: the coarse field is right by definition."""
    latent = torch.randn(1, 1, 4, 4, generator=torch.Generator().manual_seed(0)).double()
    coarse = torch.full((1, 1, 1, 1), 100.2).double()
    fine = exact_step(latent, coarse, transform=LIMITED[0], blocks=(1, 4, 4))
    torch.testing.assert_close(block_mean(fine, (1, 4, 4)), coarse)
    assert float(fine.max()) <= 100.2 + 1e-9
