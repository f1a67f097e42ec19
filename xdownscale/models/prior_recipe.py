"""Recipes of a prior: sizes of windows and network, what is learned, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from xdownscale.errors import ArgumentError
from xdownscale.models.schedule import Schedule, Scheduled
from xdownscale.nn.unet import UNetSize

if TYPE_CHECKING:
    from xdownscale.models.recipe import Attention

PREDICTIONS = ("velocity", "noise", "signal")
"""What a network may be asked for."""

NORMALISATIONS = ("moments", "quantiles")
"""Zero mean and unit variance; or the quantiles of 5 and 95 % at 0 and 1."""

LEVELS = ("wide", "cosine")
"""Noise levels that are learned: even in the logarithm of noise over signal; or in the time of the papers' schedule."""


@dataclass(frozen=True, repr=False)
class PriorRecipe(Scheduled):
    """Everything about the training of a prior but the data.

    Parameters
    ----------
    cells, frames : int
        Fine cells along y and x, and fine frames, of a window.
    blanket : int
        Frames at each end of a window that only inform where a longer trajectory is put together.
    overlap : int
        Cells that neighbouring tiles of a larger domain share.
    size : UNetSize
        Widths and depths of the network.
    prediction : {"velocity", "noise", "signal"}
        What the network is asked for.
    normalisation : {"moments", "quantiles"}
        Of every variable.
    levels : {"wide", "cosine"}
        Noise levels that it learns.
    linear : bool
        Whether the network corrects the best linear denoiser, which is computed from spectra, or learns all by itself.
    margin : int
        Cells along the border of a tile that do not count: the linear denoiser takes a tile for a torus.
    schedule : Schedule
        Steps, learning rate, and how often the prior is validated.

    Raises
    ------
    ArgumentError
        For a word that is not known, or sizes that do not go together.

    See Also
    --------
    xdownscale.train : Takes it as ``recipe=``, with ``method="prior"``.
    xdownscale.Recipe : The same for the methods that are trained on pairs.

    Examples
    --------
    >>> PriorRecipe.named("climate2weather").size.channels
    (128, 128, 256, 384, 512)
    """

    cells: int = 64
    frames: int = 5
    blanket: int = 2
    overlap: int = 24
    size: UNetSize = field(default_factory=lambda: UNetSize((24, 48, 64), depth=1))
    prediction: str = "velocity"
    normalisation: str = "moments"
    levels: str = "wide"
    linear: bool = True
    margin: int = 8
    schedule: Schedule = field(
        default_factory=lambda: Schedule(steps=4000, batch=4, rate=2e-3, average=0.998, check=500)
    )

    attention: ClassVar[Attention | None] = None
    """Its network has its own."""

    def __post_init__(self) -> None:
        for name, known in (
            ("prediction", PREDICTIONS),
            ("normalisation", NORMALISATIONS),
            ("levels", LEVELS),
        ):
            if getattr(self, name) not in known:
                msg = f"{name}={getattr(self, name)!r} is not known; use one of {', '.join(map(repr, known))}"
                raise ArgumentError(msg)
        check_sizes(self.cells, self.frames, self.blanket, self.overlap, self.size)
        check_linear(self.linear, self.margin, self.overlap, self.prediction)

    @classmethod
    def named(cls, name: str) -> PriorRecipe:
        """One of the recipes that come with the library.

        Parameters
        ----------
        name : {"standard", "small", "climate2weather"}
            "small" learns in minutes on two cores; "standard" is for weights to keep; "climate2weather" is that of
            Schmidt et al. (2025, arXiv:2412.15361) and asks for GPUs.

        Raises
        ------
        ArgumentError
            For any other name.
        """
        if name == "standard":
            size = UNetSize((64, 96, 128), depth=3)
            return cls(frames=7, blanket=3, size=size, schedule=Schedule(steps=20_000, batch=8, check=1000))
        if name == "small":
            return cls(
                schedule=Schedule(steps=600, batch=2, rate=3e-3, average=0.99, check=200, validation=8)
            )
        if name == "climate2weather":
            return cls(
                cells=128,
                frames=13,
                blanket=6,
                overlap=32,
                size=UNetSize((128, 128, 256, 384, 512), depth=3, attention=True, gains=False, torus=False),
                prediction="noise",
                normalisation="quantiles",
                levels="cosine",
                linear=False,
                margin=0,
                schedule=Schedule(steps=369_000, batch=512, rate=1e-4, average=0.9999, check=5000),
            )
        msg = (
            f'recipe={name!r} is not known; use recipe="standard", recipe="small", recipe="climate2weather" or an '
            f"xdownscale.PriorRecipe(...)"
        )
        raise ArgumentError(msg)


def check_sizes(cells: int, frames: int, blanket: int, overlap: int, size: UNetSize) -> None:
    """Raise where sizes do not go together.

    Parameters
    ----------
    cells, frames, blanket, overlap, size
        As in :class:`PriorRecipe`.

    Raises
    ------
    ArgumentError
        With those that do.
    """
    if cells < 1 or cells % size.multiple:
        msg = f"cells={cells}: a U-Net of {len(size.channels)} levels takes a multiple of {size.multiple}"
        raise ArgumentError(msg)
    if frames < 1 or not 0 <= 2 * blanket < frames:
        msg = f"blanket={blanket}: a window of {frames} frames answers for at least one, so 0 to {(frames - 1) // 2}"
        raise ArgumentError(msg)
    if not 0 <= overlap < cells:
        msg = f"overlap={overlap}: tiles of {cells} cells share 0 to {cells - 1}"
        raise ArgumentError(msg)


def check_linear(linear: bool, margin: int, overlap: int, prediction: str) -> None:  # noqa: FBT001
    """Raise where a network cannot correct a linear denoiser, or tiles do not share enough.

    Parameters
    ----------
    linear, margin, overlap, prediction
        As in :class:`PriorRecipe`.

    Raises
    ------
    ArgumentError
        With what can be.
    """
    if linear and prediction != "velocity":
        msg = f"prediction={prediction!r}: a network beside the linear denoiser tells the velocity; or linear=False"
        raise ArgumentError(msg)
    if not 0 <= 2 * margin <= overlap:
        msg = f"margin={margin}: tiles that share {overlap} cells have a margin of 0 to {overlap // 2}"
        raise ArgumentError(msg)
