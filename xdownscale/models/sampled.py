"""Methods whose members are drawn in several steps, by a sampler that may be chosen when they are used."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xdownscale.diffusion.sample import named_sampler
from xdownscale.models.generator import GeneratorSettings
from xdownscale.models.method import Method
from xdownscale.nn.advected_noise import NoiseMaps

if TYPE_CHECKING:
    from xdownscale.diffusion.sample import Sampler
    from xdownscale.kernels.blocks import Blocks


class SampledSettings(GeneratorSettings):
    """Settings with the name of a sampler, and the number of its steps where the default is not wanted."""

    sampler: str
    steps: int | None

    @property
    def drawn(self) -> tuple[Sampler, int]:
        """The sampler, and its number of steps."""
        sampler = named_sampler(self.sampler)
        return sampler, sampler.steps if self.steps is None else self.steps


class Sampled(Method):
    """A diffused method with :class:`SampledSettings`. A deterministic one has no noise and takes no steps."""

    def noise_maps(self, blocks: Blocks | None = None) -> list[NoiseMaps]:
        """The noise that one member needs: fields of every target, one, or one for each step of sampling."""
        frames, y, x = self.only(blocks)
        if not self.settings.stochastic:
            return []
        sampler, steps = self.settings.drawn
        draws = steps if sampler.fresh else 1
        return [NoiseMaps(draws * len(self.settings.transforms), (y, x), frames, (0, 0))]

    @property
    def sampler(self) -> str | None:
        """How members are drawn, in a few words."""
        if not self.settings.stochastic:
            return None
        return f"{self.settings.sampler}, {self.settings.drawn[1]} steps"

    def sampled(self, sampler: str | None, steps: int | None) -> Any:
        """The same method with another sampler or number of steps; None keeps what it has, or takes the default."""
        if not self.settings.stochastic:
            return super().sampled(sampler, steps)
        method = copy.copy(self)
        name = self.settings.sampler if sampler is None else sampler
        method.settings = replace(self.settings, sampler=name, steps=steps)
        return method
