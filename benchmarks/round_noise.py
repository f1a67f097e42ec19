r"""Give the finest noise of a trained generator the same power in every direction.

    python benchmarks/round_noise.py ../shared/data model.safetensors --out rounder.safetensors

The noise of the last stage becomes texture by two convolutions of 3 × 3 with a gate between them. Trained with a loss
that saw wavelengths but no directions, those of the shipped weights had come to favour the shortest waves along the
axes and to leave diagonal ones out, a lattice. Training leaves such a place slowly, so the first of the two is solved
for here, once; training goes on from there.

With the gates g_c of a pixel, the kernels l_c that leave the stage and those n_c that noise enters by, all transformed,
a wave k of white noise has the response Σ_c g_c l_c(k) n_c(k). Sought are kernels n whose mean power over pixels is
what it was before on average over each ring of waves, and which are not far from what they were.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import torch
from make_weights import product, rain_of, wettest

import xdownscale
from xdownscale.models.generator import draw_noise
from xdownscale.nn import stage as stages

if TYPE_CHECKING:
    from torch import Tensor

FIELDS = (
    "rain_fmi_finland_1km_5min_20160928.nc",
    "rain_mrms_usa_01_1km_2min_20190610.nc",
    "rain_eccc_casgo_1km_6min_20240710.nc",
)
"""Training events on which gates are looked at."""

SIDE = 16
"""Waves along a side of the plane in which responses are compared."""


def main() -> None:
    """Read the command line, solve, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    model = xdownscale.load(options.model)
    gates = torch.cat([gates_of(model.method, options.folder / name) for name in FIELDS])
    network = model.method.network
    given = network.stages[-1].given.convolution.weight
    first = 1 + len(model.method.settings.static)
    kernels = rounded(given[:, first:], network.leave.convolution.weight[0], gates)
    with torch.no_grad():
        given[:, first:] = kernels
    model.save(options.out)


def gates_of(method: Any, path: Path, pixels: int = 64) -> Tensor:
    """Derivatives (pixels, channels) of the last stage's activation at random rainy pixels of an event."""
    coarse = wettest(rain_of(path)).sr.coarsen(spatial=10, temporal=3).values[:2, :12, :12]
    window = torch.nan_to_num(torch.from_numpy(np.ascontiguousarray(coarse, np.float32)))[None, :, None]
    source = torch.Generator().manual_seed(0)
    entered: list[Tensor] = []

    def swish(x: Tensor) -> Tensor:
        entered.append(x.detach().clone())
        return torch.nn.functional.hardswish(x)

    with torch.no_grad():
        prepared = method.prepare(window, None, product(path))
        noise = draw_noise(method.noise_maps(), window.shape, generator=source)
        with mock.patch.object(stages, "sharp_swish", swish):
            latent = method.latent(prepared, noise, conserve=False)
        rain = method.finish(prepared, latent)[0, :, 0]
    channels = method.network.leave.convolution.weight.shape[1]
    last = torch.cat([x for x in entered if x.shape[2:] == (channels, *rain.shape[1:])], dim=1)[0]
    values = last.movedim(1, -1)[rain > 0.2]
    chosen = values[torch.randperm(len(values), generator=source)[:pixels]]
    return torch.where(chosen < -3, 0.0, torch.where(chosen > 3, 1.0, chosen / 3 + 0.5))


def rounded(given: Tensor, leave: Tensor, gates: Tensor, *, steps: int = 1500, near: float = 0.5) -> Tensor:
    """Kernels like `given` whose response has one power for all directions.

    Parameters
    ----------
    given : Tensor, shape (channels, maps, 3, 3)
    leave : Tensor, shape (channels, 3, 3)
    gates : Tensor, shape (pixels, channels)
    steps : int
    near : float
        How much a mean square change of the kernels counts beside a mean square log ratio of powers.
    """
    away = transformed(leave.detach().flip((-1, -2)))

    def power(kernels: Tensor) -> Tensor:
        response = torch.einsum("pc,cij,cmij->pmij", gates.to(away.dtype), away, transformed(kernels))
        return response.abs().square().mean(0)

    y, x = torch.meshgrid(torch.fft.fftfreq(SIDE), torch.fft.fftfreq(SIDE), indexing="ij")
    ring = (torch.hypot(y, x) * SIDE).round().long().clamp(max=SIDE // 2 + 2)
    share = torch.nn.functional.one_hot(ring.flatten()).to(given)
    before = given.detach()
    wanted = (power(before).flatten(1) @ (share / share.sum(0).clamp_min(1)) @ share.T).unflatten(
        1, (SIDE, SIDE)
    )
    found = before.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([found], lr=3e-3)
    for _ in range(steps):
        loss = (power(found) / wanted).log().square().mean() + near * (found - before).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return found.detach()


def transformed(kernels: Tensor) -> Tensor:
    """Responses (…, SIDE, SIDE) of kernels (…, 3, 3) to the waves of the plane."""
    high, wide = kernels.shape[-2:]
    return torch.fft.fft2(torch.nn.functional.pad(kernels, (0, SIDE - wide, 0, SIDE - high)))


if __name__ == "__main__":
    main()
