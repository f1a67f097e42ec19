"""What is particular to the training of a video diffusion: sizes, the residual, noise levels, the sampler."""

from __future__ import annotations

from dataclasses import dataclass, field

from xdownscale.errors import ArgumentError
from xdownscale.nn.video import VideoSize

ATTENTIONS = ("factorised", "window", "none")
"""What :class:`~xdownscale.nn.video.VideoSize` may say of attention."""

LEVELS = ("sigmoid", "angle")
"""How noise levels are drawn in training."""


@dataclass(frozen=True)
class VideoRecipe:
    """A joint video diffusion, ``method="video"``. Options that are not STVD's say so.

    Parameters
    ----------
    size : VideoSize
        Of the downscaler and of the denoiser.
    residual : bool
        Whether a residual is diffused. Without, the downscaler is trained alone on the squared error: a deterministic
        multi-frame network.
    joint : bool
        Whether the loss of the denoiser trains the downscaler, through the residual r₀ = y − ȳ and through what the
        denoiser is shown. Without, the downscaler learns from `anchor` alone.
    anchor : float
        Weight of the squared error of ȳ. The loss of a perfect denoiser does not depend on ȳ, so that nothing but the
        way that training takes would make it a mean: STVD has 0, the library 1.
    standardised : bool
        Whether the residual is divided by its standard deviation, which training follows. STVD's is not, and sampling
        in a few steps takes a part of its spread (:data:`xdownscale.diffusion.sample.PUBLISHED`). A standardised one
        with v-prediction has the preconditioning of Karras et al. (``diffusion.denoise``).
    epsilon : float, optional
        ε of rain in log(P + ε), in the units of the field. None takes that of the library's transform, 0.2 mm/h. STVD's
        code has 1e-14, with which dry cells lie fourteen decades below those with rain, and conservation cannot act.
    dry : float
        Latent value of zero rain; the library's methods take −0.4 (``models.residual``), STVD zero.
    clip : bool
        Whether ȳ + r̂ is cut to [−1, 1] in every step of sampling.
    levels : {"sigmoid", "angle"}
        Noise levels of training: one of STVD's 1400, or an angle that is uniform between 0 and π/2.
    per_frame : bool
        A noise level for every frame, as STVD's code has it, instead of one for a sequence, as its algorithm 1 has it.
    draws : int
        Noise levels at which every window is denoised in a step: the downscaler is asked once for all of them.
    conserving : bool
        Whether block means are conserved; STVD's are not.
    sampler : str
        A name of :func:`xdownscale.diffusion.sample.named_sampler`.
    """

    size: VideoSize = field(default_factory=VideoSize)
    residual: bool = True
    joint: bool = True
    anchor: float = 0.0
    standardised: bool = False
    epsilon: float | None = 1e-14
    dry: float = 0.0
    clip: bool = True
    levels: str = "sigmoid"
    per_frame: bool = False
    draws: int = 1
    conserving: bool = False
    sampler: str = "ddim-sigmoid"

    def __post_init__(self) -> None:
        if self.levels not in LEVELS:
            msg = f"levels={self.levels!r} is not known; use one of {', '.join(map(repr, LEVELS))}"
            raise ArgumentError(msg)
        if self.draws < 1:
            msg = f"draws={self.draws}: a window is denoised at one noise level or more"
            raise ArgumentError(msg)
        if self.anchor <= 0 and not (self.joint and self.residual):
            msg = (
                f"anchor={self.anchor} with joint={self.joint}, residual={self.residual}: nothing would train the "
                f"downscaler. Pass anchor=1.0, or leave joint and residual at True."
            )
            raise ArgumentError(msg)
