"""Fresh weights: the bits of ``torch.manual_seed``, without the global state, in single precision, in any thread."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tests.small_models import SIZE
from xdownscale.models.generator import Generator, GeneratorSettings
from xdownscale.models.recipe import Attention
from xdownscale.models.residual import Residual, residual_settings
from xdownscale.nn.fresh import FreshWeights

GENERATOR = GeneratorSettings(blocks=(3, 4, 4), size=SIZE)
RESIDUAL = residual_settings(GENERATOR, attention=Attention(windows=(1,), frames=1, heads=2))


def weights(settings):
    method = Residual(settings) if settings is RESIDUAL else Generator(settings)
    return torch.cat([value.flatten() for value in method.state_dict().values()])


def fresh(settings, seed):
    with FreshWeights(seed):
        return weights(settings)


@pytest.mark.parametrize("settings", [GENERATOR, RESIDUAL])
def test_the_weights_are_those_of_the_global_generator_which_is_left_alone(settings):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        wanted = weights(settings)
    before = torch.get_rng_state()
    assert torch.equal(fresh(settings, 7), wanted)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(fresh(settings, 8), wanted)


def test_the_default_precision_changes_nothing():
    wanted = fresh(RESIDUAL, 7)
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(fresh(RESIDUAL, 7), wanted)
    finally:
        torch.set_default_dtype(torch.float32)


def test_threads_do_not_disturb_each_other():
    wanted = [fresh(GENERATOR, seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda seed: fresh(GENERATOR, seed), range(8)))
    assert all(map(torch.equal, found, wanted))
