"""Carried noise: as white as what is drawn, and moving as it is told."""

import pytest
import torch

from xdownscale.nn.advected_noise import FASTEST, Carried, Movement, carried_maps, shifts


def draw(maps, window, seed=0):
    return torch.randn(1, *maps.shape(window), generator=torch.Generator().manual_seed(seed))


def moved(velocity, noise, pixels, frames, memory):
    places = shifts(velocity, pixels, frames, memory)
    return Carried(noise, places, frames, slice(0, frames * velocity.shape[1])).values()


def uniform(window, y, x):
    frames, rows, columns = window
    return torch.tensor([y, x]).reshape(1, 1, 2, 1, 1).expand(1, frames, 2, rows, columns)


@pytest.mark.parametrize("memory", [1, 2])
@pytest.mark.parametrize("frames", [1, 3])
def test_weights_keep_the_variance_at_every_moment(memory, frames):
    places = shifts(torch.zeros(1, 2, 2, 1, 1), (1, 1), frames, memory)
    assert len(places) == 2 * memory
    weights = torch.tensor([place.weight for place in places])
    torch.testing.assert_close(weights.square().sum(0), torch.ones(frames))


@pytest.mark.parametrize("memory", [1, 2])
@pytest.mark.parametrize("frames", [1, 2, 3, 6])
def test_texture_changes_as_fast_across_a_border_of_coarse_frames_as_anywhere(memory, frames):
    """Correlation of a frame with the next one, which within a coarse frame sees the same anchors."""
    places = shifts(torch.zeros(1, 2, 2, 1, 1), (1, 1), frames, memory)
    weights = torch.tensor([place.weight for place in places], dtype=torch.float64)
    within = (weights[:, 1:] * weights[:, :-1]).sum(0)
    across = (weights[1:, -1] * weights[:-1, 0]).sum()
    # with a memory of two the oldest anchor, of hardly any weight, is gone behind a border
    torch.testing.assert_close(within, across.expand_as(within), atol=1e-6 if memory == 1 else 2e-3, rtol=0)


@pytest.mark.parametrize("memory", [1, 2])
def test_one_who_moves_along_sees_it_persist_and_one_who_stands_does_not(memory):
    window, pixels = (4, 16, 16), (4, 4)
    noise = draw(carried_maps(3, pixels, 1, memory), window)
    field = moved(uniform(window, 2.0, -1.0), noise, pixels, 1, memory)[0]
    # every frame later it lies 8 pixels further along y and 4 back along x
    along = (field[1:, :, 8:, :-4] * field[:-1, :, :-8, 4:]).mean()
    still = (field[1:] * field[:-1]).mean()
    weights = torch.tensor([place.weight for place in shifts(torch.zeros(1, 1, 2, 1, 1), (1, 1), 1, memory)])
    assert float(along) == pytest.approx(float((weights[1:] * weights[:-1]).sum()), abs=0.03)
    assert abs(float(still)) < 0.03


@pytest.mark.parametrize("memory", [1, 2])
def test_it_is_white_wherever_it_goes(memory):
    window, pixels, frames = (3, 24, 24), (5, 5), 3
    y, x = torch.meshgrid(torch.linspace(0, 3, 24), torch.linspace(0, 3, 24), indexing="ij")
    velocity = torch.stack([torch.sin(x + y), 1.5 * torch.cos(x)]).expand(1, 3, 2, 24, 24)
    noise = draw(carried_maps(2, pixels, frames, memory), window)
    field = moved(velocity, noise, pixels, frames, memory)
    assert field.shape == (1, 9, 2, 120, 120)
    assert float(field.mean()) == pytest.approx(0, abs=0.02)
    assert float(field.var()) == pytest.approx(1, abs=0.02)
    for shifted in (field[..., 1:, :] * field[..., :-1, :], field[..., 1:] * field[..., :-1]):
        assert abs(float(shifted.mean())) < 0.06  # some values are met twice where the flow diverges


def test_noise_without_memory_is_that_of_the_frame():
    noise = draw(carried_maps(2, (3, 3), 3, 0), (2, 4, 4))
    assert torch.equal(moved(uniform((2, 4, 4), 1.0, 1.0), noise, (3, 3), 3, 0), noise)


def test_parts_are_what_the_whole_has_there():
    window, pixels = (3, 6, 6), (2, 3)
    velocity = 2 * torch.randn(1, 3, 2, 6, 6, generator=torch.Generator().manual_seed(1)).tanh()
    noise = draw(carried_maps(2, pixels, 3, 1), window)
    whole = Carried(noise, shifts(velocity, pixels, 3, 1), 3, slice(0, 9))
    part = whole._replace(frames=slice(4, 6), y=slice(2, 7), x=slice(9, 18))
    assert torch.equal(part.values(), whole.values()[:, 4:6, :, 2:7, 9:18])


@pytest.mark.parametrize("memory", [1, 2])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_fastest_flow_stays_within_what_is_drawn(memory, sign):
    window, pixels, frames = (2, 3, 4), (5, 2), 3
    maps = carried_maps(1, pixels, frames, memory)
    places = shifts(uniform(window, sign * FASTEST, -sign * FASTEST), pixels, frames, memory)
    rows, columns = maps.shape(window)[2:]
    for place in places:
        assert int(place.pixel.min()) >= 0
        assert int(place.pixel.max()) < rows * columns
        assert place.pixel.shape == (1, 6, 15, 8)
        assert bool(
            ((place.pixel % columns).diff(dim=-1) == 1).all()
        )  # no row is left at one end and entered at the other


def guessing(scale):
    """A movement whose guesses along y and x are its first two features, and its trust the third, times `scale`."""
    movement = Movement(3)
    with torch.no_grad():
        movement.guess.convolution.weight.copy_(torch.diag(torch.tensor([1.0, 1.0, scale]))[:, :, None, None])
    return movement


def test_a_velocity_that_all_cells_guess_is_the_velocity_up_to_the_border():
    features = torch.tensor([0.1, -0.2, 0.0]).reshape(1, 1, 3, 1, 1).expand(1, 4, 3, 12, 12)
    velocity = guessing(1.0)(features)
    expected = torch.tensor([0.1, -0.2]).reshape(1, 1, 2, 1, 1).expand(1, 4, 2, 12, 12)
    torch.testing.assert_close(velocity, expected, rtol=5e-3, atol=0)  # a guess is bounded smoothly


def test_the_trusted_cell_speaks_for_its_neighbourhood_and_no_farther():
    features = torch.zeros(1, 7, 3, 21, 21)
    features[:, :, 2] = -1.0
    features[0, 3, :, 10, 10] = torch.tensor([1.0, 0.0, 1.0])
    with torch.no_grad():
        velocity = guessing(30.0)(features)[0, :, 0]
    heard = (velocity.abs() > 0).nonzero()
    assert heard.amin(0).tolist() == [2, 6, 6]
    assert heard.amax(0).tolist() == [4, 14, 14]
    assert float(velocity[2:5, 6:15, 6:15].min()) > 0.7  # though it is one of 243
    assert float(velocity.abs().max()) < FASTEST
