"""Rain given its block means: the chains against rejection, the only other way to the same law."""

import numpy as np
import pytest
from gaussian import GaussianField
from metagauss import MetaGaussianRain

from xdownscale.kernels.blocks import block_mean

LAW = MetaGaussianRain(GaussianField(4, 4, scale=4.0))
BLOCKS = (1, 4, 2)


@pytest.fixture(scope="module")
def simulated():
    return LAW.simulate(1, 300_000, np.random.default_rng(0))


def test_the_wet_share_is_the_wanted_one(simulated):
    assert float((simulated > 0).mean()) == pytest.approx(LAW.wet, abs=0.005)


@pytest.mark.parametrize("wanted", [(0.8, 0.2), (0.1, 0.1)])
def test_chains_agree_with_rejection(simulated, wanted):
    coarse = np.array([[wanted]])
    near = np.abs(block_mean(simulated, BLOCKS) / coarse - 1) < 0.12
    kept = simulated[near.all((1, 2, 3))]
    assert len(kept) > 300
    chains = LAW.conditional(coarse, BLOCKS, members=600, sweeps=60, random=np.random.default_rng(1))
    np.testing.assert_allclose(block_mean(chains, BLOCKS), coarse[None].repeat(600, 0), rtol=1e-9)
    halves = [(fields[..., :2], fields[..., 2:]) for fields in (kept, chains)]
    for theirs, ours in zip(*halves, strict=True):
        assert float((ours > 0).mean()) == pytest.approx(float((theirs > 0).mean()), abs=0.05)
        assert float(ours.std()) == pytest.approx(float(theirs.std()), rel=0.15)
        quantiles = [0.5, 0.75, 0.9]
        scale = float(theirs.std())
        np.testing.assert_allclose(
            np.quantile(ours, quantiles), np.quantile(theirs, quantiles), atol=0.15 * scale
        )


def test_dry_blocks_stay_dry_and_the_rest_keeps_its_mean():
    coarse = np.array([[[0.5, 0.0]]])
    chains = LAW.conditional(coarse, BLOCKS, members=20, sweeps=20, random=np.random.default_rng(2))
    assert (chains[..., 2:] == 0).all()
    np.testing.assert_allclose(chains[..., :2].mean((1, 2, 3)), 0.5)
