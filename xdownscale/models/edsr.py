"""EDSR as a method: a deterministic baseline with the transforms, gaps and interpolation of the generator."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from xdownscale.models.generator import Generator, GeneratorSettings
from xdownscale.models.method import Method
from xdownscale.nn.edsr import EdsrNetwork


class Edsr(Generator):
    """The residual network of Lim et al. (2017, doi:10.1109/CVPRW.2017.151), with an image for every fine step.

    Parameters
    ----------
    settings : GeneratorSettings
        Of its `size` the width and the number of encoder blocks count: channels and residual blocks.
    """

    kind: ClassVar = "edsr"
    calibrated: ClassVar = False

    def __init__(self, settings: GeneratorSettings) -> None:
        Method.__init__(self)
        self.settings = settings
        shown = [*settings.transforms, *(each.transform for each in settings.predictors)]
        self.network: Any = EdsrNetwork(
            blocks=settings.blocks,
            inputs=sum(each.channels + 1 for each in shown) + len(settings.static),
            width=settings.size.width,
            depth=settings.size.encoder_blocks,
            outputs=len(settings.transforms),
        )
        self.styles = nn.Parameter(torch.zeros(len(settings.styles), settings.size.style))

    def described(self) -> str:
        """What it is, in a few words."""
        return "EDSR"
