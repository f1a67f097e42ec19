"""Totals of frames: to rounding, for every F and threshold; what they do to maxima; the rule for a zero denominator."""

import numpy as np
import pytest
import torch

import xdownscale
from tests.small_models import model
from tests.support import rain, raise_if_dask_computes
from xdownscale.models.frames import conserve_frames, powered, shaped, shift_frames, unpowered

BLOCKS = (3, 4, 5)


def case(seed=0):
    source = torch.Generator().manual_seed(seed)
    raw = torch.rand((2, 6, 8, 15), generator=source) - 0.2
    return raw, torch.rand((2, 2, 2, 3), generator=source)


def totals(fine, blocks=BLOCKS):
    return fine.double().sum((-2, -1)).unflatten(1, (-1, blocks[0])).sum(-1)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("threshold", [0.0, 0.02, 0.2])
def test_frames_have_the_totals_of_equation_1_and_nothing_is_negative(power, threshold):
    raw, coarse = case()
    fine = conserve_frames(raw, coarse, blocks=BLOCKS, power=power, threshold=threshold)
    wanted = coarse.double().sum((-2, -1)) * 3 * 4 * 5
    torch.testing.assert_close(totals(fine), wanted, rtol=1e-6, atol=0)
    assert float(fine.min()) >= 0
    assert torch.equal(fine == 0, shaped(raw, power, threshold) == 0)
    made = shaped(raw, power, threshold)
    torch.testing.assert_close(fine[0, :3], made[0, :3] * (wanted[0, 0] / totals(made)[0, 0]).float())


def test_the_rectifier_is_applied_before_and_after_f():
    u = torch.tensor([0.05, 0.2, 0.5])
    expected = torch.tensor([0.0, (0.2 - 0.1) ** 0.5 - 0.1, (0.5 - 0.1) ** 0.5 - 0.1])
    torch.testing.assert_close(shaped(u, 0.5, 0.1), expected)
    assert float(shaped(torch.tensor(0.105), 2.0, 0.1)) == 0  # F brings it below the threshold


def test_a_larger_power_gives_more_to_the_maximum():
    raw, coarse = case()
    largest = [
        float(conserve_frames(raw, coarse, blocks=BLOCKS, power=power)[0, :3].max())
        for power in (0.25, 0.5, 1, 2, 4)
    ]
    assert largest == sorted(largest)
    assert largest[0] < 0.5 * largest[-1]


def test_a_dry_frame_is_dry_and_a_zero_denominator_leaves_the_rectifier_alone():
    raw, coarse = case()
    coarse[0, 0] = 0.0
    raw[1, 3:] = torch.rand(raw[1, 3:].shape) * 0.3  # r_a(F(r_a(u))) is zero, r_a(u) is not
    fine = conserve_frames(raw, coarse, blocks=BLOCKS, power=2.0, threshold=0.25)
    assert float(fine[0, :3].abs().max()) == 0
    torch.testing.assert_close(fine[1, 3:], (raw[1, 3:] - 0.25).clamp_min(0))
    assert float(fine[1, 3:].max()) > 0


def test_missing_cells_count_on_neither_side():
    raw, coarse = case()
    coarse[0, 0, 0, 0] = torch.nan
    fine = conserve_frames(raw, coarse, blocks=BLOCKS)
    fine[0, :3, :4, :5] = 0.0
    torch.testing.assert_close(totals(fine)[0, 0], coarse[0, 0].double().nansum() * 60, rtol=1e-6, atol=0)


def test_fields_of_any_sign_are_shifted():
    raw, coarse = case()
    fine = shift_frames(raw, coarse, blocks=BLOCKS)
    torch.testing.assert_close(totals(fine), coarse.double().sum((-2, -1)) * 60, rtol=1e-6, atol=1e-5)
    moved = (fine - raw)[0, :3]
    assert float(moved.max() - moved.min()) < 1e-6


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("threshold", [0.0, 0.04])
def test_what_f_is_undone_by(power, threshold):
    values = torch.tensor([0.0, 0.01, 0.3, 1.0])
    torch.testing.assert_close(shaped(unpowered(values, power, threshold), power, threshold), values)


def test_the_gradient_of_a_root_is_finite_at_zero():
    u = torch.tensor([0.0, 1e-6, 0.5], requires_grad=True)
    powered(u, 0.5).sum().backward()
    assert bool(u.grad.isfinite().all())
    assert float(u.grad[0]) == 0


@pytest.mark.parametrize("kind", ["rain", "tas"])
def test_any_method_keeps_totals_of_frames_by_area_with_gaps_lazily_or_not(kind):
    made = model(rain=kind == "rain", units="mm h-1" if kind == "rain" else "K")
    coarse = rain((4, 9, 10), spacing=4000.0, step=15).astype("float32")
    if kind == "tas":
        coarse = (
            (280 + coarse)
            .rename("tas")
            .assign_attrs(units="K", standard_name="air_temperature", long_name="temperature")
        )
    coarse[1, 2, 3] = np.nan
    fine = coarse.sr.downscale(made, members=2, conserve="frame")
    back = fine.astype(float).sr.coarsen(4, 3).mean(("y", "x"))
    np.testing.assert_allclose(
        back, np.broadcast_to(coarse.astype(float).mean(("y", "x")), back.shape), rtol=1e-6
    )
    by_cell = coarse.sr.downscale(made, members=2)
    assert float(abs(fine - by_cell).max()) > 0
    cells = fine.astype(float).sr.coarsen(4, 3)
    assert float(abs(cells - coarse).max()) > 0.01  # parts of a frame are as the model has them
    assert "conserve='frame'" in fine.attrs["history"]
    with raise_if_dask_computes():
        lazy = coarse.chunk(time=2, y=5).sr.downscale(made, members=2, conserve="frame", tile=(2, 4, 4))
    np.testing.assert_allclose(lazy, fine, rtol=2e-4, atol=1e-5)


def test_totals_on_the_sphere_are_weighted_by_area():
    made = model()
    plain = rain((2, 6, 8))
    coarse = plain.drop_vars(("y", "x")).assign_coords(
        y=("y", 70.0 - 2 * np.arange(6.0), {"units": "degrees_north", "standard_name": "latitude"}),
        x=("x", 2 * np.arange(8.0), {"units": "degrees_east", "standard_name": "longitude"}),
        time=plain.time[:1].values + np.arange(2) * np.timedelta64(15, "m"),
    ).rename(y="lat", x="lon")  # fmt: skip
    fine = coarse.sr.downscale(made, conserve="frame")[0].astype(float)

    def mean(field, half):
        north, south = np.deg2rad(field.lat + half), np.deg2rad(field.lat - half)
        return field.weighted(np.abs(np.sin(north) - np.sin(south))).mean(("lat", "lon"))

    found = mean(fine, 0.25).values.reshape(2, 3).mean(1)
    np.testing.assert_allclose(found, mean(coarse, 1.0), rtol=1e-5)


def test_a_word_that_is_not_known_is_refused_with_those_that_are():
    with pytest.raises(xdownscale.errors.ArgumentError, match='"frame"'):
        model().with_conservation("frames")
