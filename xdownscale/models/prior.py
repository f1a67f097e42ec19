"""The generative prior: the law of fine trajectories, learned without any coarse partner and given one when it is used.

A U-Net denoises windows of consecutive frames of all variables (``nn.unet``). Windows are put together to
trajectories of any length on any domain (``diffusion.compose``), and a coarse field, missing cells and stations guide
the samples (``diffusion.guide``): what is drawn is the posterior. After Schmidt et al. (2025, arXiv:2412.15361);
moment matching takes the place of their guidance by default, whose spread is wrong in what is seen
(``benchmarks/posterior.py``).

A domain or a series smaller than a window lies in its first corner, and nothing is known of the rest.
"""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch
from einops import rearrange
from torch import nn

from xdownscale.diffusion.compose import Windows
from xdownscale.diffusion.correct import predictor_corrector
from xdownscale.diffusion.denoise import Denoiser, Noise, Signal, Velocity
from xdownscale.diffusion.guide import Moments, Scalar, guided
from xdownscale.diffusion.sample import SAMPLERS, Sampler, named_sampler
from xdownscale.diffusion.schedule import karras
from xdownscale.errors import ArgumentError
from xdownscale.field.factors import FactorRange
from xdownscale.kernels.blocks import block_repeat
from xdownscale.models.method import Method
from xdownscale.models.prior_recipe import check_linear, check_sizes
from xdownscale.models.prior_seen import Beside, Look, Scale, look
from xdownscale.models.transform import Transform, transform_to_json
from xdownscale.nn.advected_noise import NoiseMaps
from xdownscale.nn.unet import UNet, UNetSize
from xdownscale.nn.wiener import Wiener
from xdownscale.operators import Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from xdownscale.diffusion.denoise import Prediction
    from xdownscale.diffusion.guide import Guidance
    from xdownscale.kernels.blocks import Blocks
from xdownscale.models.spans import Spans

SUPPORTED = FactorRange(spatial=(1, 64), temporal=(1, 48))
"""Factors that a coarse field may have."""

ERROR = 0.02
"""Standard deviation of the error of coarse values, in standard deviations of the variable, where nothing is said."""

LARGEST, FINEST = 50.0, 0.2
"""Noise over signal where a sample starts, and where it ends in units of the smallest error: the posterior is as narrow
as that in what is seen, and noise that is much larger would be left in it."""

STEPS = {"angle": 12, "dpm": 40, "heun": 20, "ddim": 100}
"""Steps by sampler: spread of the posteriors of Gaussian fields within 3 % (``benchmarks/posterior.py``)."""

PAPER = "predictor-corrector"
"""The sampler of the paper, with its own schedule."""

PREDICTIONS: dict[str, Prediction] = {"velocity": Velocity(), "noise": Noise(), "signal": Signal()}


@dataclass(frozen=True)
class GuidanceSettings:
    """How a prior is guided by what is seen.

    Parameters
    ----------
    kind : {"moments", "sda", "sda-free"}
        Moment matching; the paper's guidance, with gradients of the network or without.
    gamma : float
        γ of the paper's.
    tolerance : float
        Of the linear system of moment matching.
    iterations : int
        The most that are made, each a gradient of the network. With ten of them and twelve steps, mean and spread of
        the posteriors of Gaussian fields are right within 2 %.

    Raises
    ------
    ArgumentError
        For another kind, or numbers that are not positive.
    """

    kind: str = "moments"
    gamma: float = 7.2e-4
    tolerance: float = 1e-2
    iterations: int = 10

    def __post_init__(self) -> None:
        if self.kind not in ("moments", "sda", "sda-free"):
            msg = f'guidance={self.kind!r} is not known; use "moments", "sda" or "sda-free"'
            raise ArgumentError(msg)
        if not (self.gamma > 0 and self.tolerance > 0 and self.iterations > 0):
            msg = f"gamma={self.gamma}, tolerance={self.tolerance}, iterations={self.iterations}: all are positive"
            raise ArgumentError(msg)

    @property
    def rule(self) -> Guidance:
        """As ``diffusion.guide`` takes it."""
        if self.kind == "moments":
            return Moments(tolerance=self.tolerance, iterations=self.iterations)
        return Scalar(self.gamma, exact=self.kind == "sda")


@dataclass(frozen=True)
class PriorSettings:
    """Everything that is needed for a :class:`Prior`.

    Parameters
    ----------
    transforms : tuple of Transform
        One for each variable.
    centres, spreads : tuple of float
        Mean and standard deviation of the latent values of each.
    errors : tuple of float
        Standard deviation of the error of coarse values of each, in units of its spread.
    cells, frames, blanket, overlap, size, prediction, linear, margin
        As in :class:`xdownscale.models.prior_recipe.PriorRecipe`.
    sampler : str
        How members are drawn: a sampler of :data:`xdownscale.diffusion.sample.SAMPLERS` without fresh noise, or
        "predictor-corrector".
    steps : int, optional
        None takes the sampler's default.
    guidance : GuidanceSettings
    conserving : bool
        Whether block means are made exact after sampling.

    Raises
    ------
    ArgumentError
        For sizes that do not go together, or a sampler that is not known.
    """

    transforms: tuple[Transform, ...]
    centres: tuple[float, ...]
    spreads: tuple[float, ...]
    errors: tuple[float, ...]
    cells: int = 32
    frames: int = 5
    blanket: int = 2
    overlap: int = 8
    size: UNetSize = field(default_factory=UNetSize)
    prediction: str = "velocity"
    linear: bool = False
    margin: int = 0
    sampler: str = "angle"
    steps: int | None = None
    guidance: GuidanceSettings = field(default_factory=GuidanceSettings)
    conserving: bool = False
    styles: tuple[str, ...] = ("training",)
    default: str | None = None

    predictors: ClassVar[tuple[Any, ...]] = ()
    static: ClassVar[tuple[Any, ...]] = ()
    stochastic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_sizes(self.cells, self.frames, self.blanket, self.overlap, self.size)
        check_linear(self.linear, self.margin, self.overlap, self.prediction)
        if self.sampler not in (*STEPS, PAPER):
            named_sampler(self.sampler)  # says which there are
            msg = f"sampler={self.sampler!r}: a prior is drawn by one of {', '.join(map(repr, (*STEPS, PAPER)))}"
            raise ArgumentError(msg)

    @property
    def scales(self) -> list[Scale]:
        """Those of every variable."""
        return [Scale(*each) for each in zip(self.transforms, self.centres, self.spreads, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """Plain values for the model file."""
        return {**asdict(self), "transforms": [transform_to_json(each) for each in self.transforms]}


class PriorWindow(NamedTuple):
    """A coarse field and what is seen beside it, shared by its members."""

    coarse: Tensor
    """(B, L, C, M, N), NaN where missing."""
    seen: Look
    part: Part
    """Where the field lies in the trajectory that is drawn, which is as large as a window at least."""
    blocks: Blocks

    @property
    def velocity(self) -> None:
        """Its noise is not advected."""

    @property
    def base(self) -> Tensor:
        """The coarse field on the fine grid."""
        return rearrange(
            block_repeat(rearrange(self.coarse, "b l c m n -> b c l m n"), self.blocks),
            "b c t y x -> b t c y x",
        )

    def repeated(self, members: int) -> PriorWindow:
        """The same for so many members at once."""
        return self._replace(coarse=self.coarse.expand(members, -1, -1, -1, -1))

    def styled(self, style: Tensor) -> PriorWindow:  # noqa: ARG002 (it has one style)
        """The same."""
        return self


class Prior(Method):
    """A score network over windows, and posterior sampling.

    Parameters
    ----------
    settings : PriorSettings
    """

    core: ClassVar = (1, 1, 1)
    whole: ClassVar = True
    own_samplers: ClassVar = (PAPER,)

    def __init__(self, settings: PriorSettings) -> None:
        super().__init__()
        self.settings = settings
        channels = settings.frames * len(settings.transforms)
        self.linear = Wiener(channels, settings.cells) if settings.linear else None
        self.network = UNet(channels, settings.size, given=2 * channels if settings.linear else None)
        if settings.linear:  # to begin with, the linear denoiser is right
            self.network.silenced()
        self.styles = nn.Parameter(torch.zeros(len(settings.styles), 1))
        self.beside: Beside | None = None

    @property
    def kind(self) -> str:
        """Its name in model files."""
        return "prior"

    @property
    def factors(self) -> FactorRange:
        """Any that a coarse field may have."""
        return SUPPORTED

    def described(self) -> str:
        """What it is, in a few words."""
        s = self.settings
        return f"generative prior, windows of {s.frames} frames of {s.cells} × {s.cells} fine cells"

    def halo(self, blocks: Blocks | None = None) -> tuple[int, int]:  # noqa: ARG002
        """None: the whole domain is one window."""
        return 0, 0

    def footprint(self, blocks: Blocks | None = None) -> tuple[float, float]:
        """Bytes per coarse cell and frame: trajectories in single precision, of which the solver holds some fifty."""
        time, y, x = blocks or (1, 1, 1)
        return 0.0, 4.0 * 50 * len(self.settings.transforms) * time * y * x

    def noise_maps(self, blocks: Blocks | None = None) -> list[NoiseMaps]:
        """One value for every variable, fine cell and step."""
        time, y, x = blocks or (1, 1, 1)
        return [NoiseMaps(len(self.settings.transforms), (y, x), time, (0, 0))]

    @property
    def sampler(self) -> str | None:
        """How members are drawn."""
        return f"{self.settings.sampler}, {self._steps} steps, guidance {self.settings.guidance.kind}"

    def sampled(self, sampler: str | None, steps: int | None) -> Prior:
        """The same prior with another sampler or number of steps; None keeps what it has, or takes the default."""
        name = self.settings.sampler if sampler is None else sampler
        return self._with(replace(self.settings, sampler=name, steps=steps))

    def guided(self, guidance: str | GuidanceSettings, names: Sequence[str]) -> Prior:
        """The same prior with other guidance, by name or as it is."""
        if guidance == "climate2weather":
            return self._with(replace(self.settings, **paper_preset(names)))
        how = guidance if isinstance(guidance, GuidanceSettings) else GuidanceSettings(guidance)
        return self._with(replace(self.settings, guidance=how))

    def seeing(self, beside: Beside) -> Prior:
        """The same prior, for which something is seen beside the coarse field that it will be given."""
        method = copy.copy(self)
        method.beside = beside
        return method

    def prepare(
        self,
        coarse: Tensor,
        static: Tensor | None = None,  # noqa: ARG002
        style: str | None = None,  # noqa: ARG002
        *,
        blocks: Blocks | None = None,
        spans: Spans | None = None,  # noqa: ARG002
    ) -> PriorWindow:
        """What is seen; parameters as in :meth:`Method.prepare`, of one field: B is 1."""
        if blocks is None:
            msg = "a prior needs its factors at inference: prepare(coarse, blocks=...)"
            raise ArgumentError(msg)
        if len(coarse) != 1:
            msg = f"a prior is conditioned on one field at a time, not on {len(coarse)}"
            raise ArgumentError(msg)
        with torch.inference_mode(mode=False):
            coarse = coarse.clone()
            s = self.settings
            time, rows, columns = (size * block for size, block in zip(_shape(coarse), blocks, strict=True))
            # the linear denoiser takes a tile for a torus, so opposite edges of the field are kept apart: in one tile
            # by a gap of unknown cells, in several by outer cells of each, which do not count and lie around the field
            gap = s.margin if s.linear else 0
            around = s.margin if max(rows, columns) > s.cells - gap else 0
            inside = (
                max(time, s.frames),
                max(rows + 2 * around, s.cells),
                max(columns + 2 * around, s.cells),
            )
            part = Part((len(s.scales), *inside), (0, around, around), (time, rows, columns))
            seen = look(
                rearrange(coarse[0], "l c m n -> c l m n"),
                s.scales,
                blocks=blocks,
                part=part,
                relative=s.errors,
                beside=self.beside,
            )
        return PriorWindow(coarse, seen, part, blocks)

    def latent(self, window: PriorWindow, noise: Sequence[Tensor], *, conserve: bool = True) -> Tensor:  # noqa: ARG002
        """Latent fine fields of members of the posterior, shape (B, T·L, targets, S_y·M, S_x·N)."""
        with torch.inference_mode(mode=False), torch.no_grad():
            fine = rearrange(noise[0].clone(), "b t c y x -> b c t y x")
            source = _Source(fine, window.part)
            denoise = guided(self.denoiser(), window.seen, self.settings.guidance.rule)
            x = window.part(self._sampler(window)(denoise, source, steps=self._steps))
            latents = [
                scale.latent(each) for scale, each in zip(self.settings.scales, x.unbind(1), strict=True)
            ]
            return torch.stack(latents, 2)

    def denoiser(self, portion: int = 16) -> Windows:
        """x̂₀ of trajectories (B, variables, time, y, x) of any size that is not below that of a window."""
        s = self.settings
        own = Denoiser(self.answer, PREDICTIONS[s.prediction])
        return Windows(own, s.frames, s.blanket, (s.cells, s.cells), s.overlap, s.margin, portion)

    def answer(self, x_t: Tensor, angle: Tensor) -> Tensor:
        """What the network says of windows (B, variables, frames, y, x)."""
        frames = x_t.shape[2]
        flat = rearrange(x_t, "b c t y x -> b (c t) y x")
        if self.linear is None:
            answer = self.network(flat, angle)
        else:
            alpha, sigma = (each(angle.to(flat)).reshape(-1, 1, 1, 1) for each in (torch.cos, torch.sin))
            velocity = (alpha * flat - self.linear(flat, angle)) / sigma
            answer = velocity + self.network(torch.cat([flat, velocity], 1), angle)
        return rearrange(answer, "b (c t) y x -> b c t y x", t=frames)

    @property
    def _steps(self) -> int:
        default = 256 if self.settings.sampler == PAPER else STEPS[self.settings.sampler]
        return self.settings.steps or default

    def _sampler(self, window: PriorWindow) -> Sampler:
        """The sampler, down to a fraction of the smallest error."""
        if self.settings.sampler == PAPER:
            return predictor_corrector()
        smallest = FINEST * float(window.seen.variance.min().sqrt()) if len(window.seen.variance) else 1e-3
        levels = partial(karras, largest=LARGEST, smallest=min(smallest, 0.1))
        return replace(SAMPLERS[self.settings.sampler], levels=levels)

    def _with(self, settings: PriorSettings) -> Prior:
        method = copy.copy(self)
        method.settings = settings
        return method


class _Source:
    """Noise by its number: the first is that of absolute places, extended where a trajectory is larger than the field.

    What else is needed is a function of the member's first noise, so that it has no order either.
    """

    def __init__(self, fine: Tensor, part: Part) -> None:
        self.fine, self.part = fine, part
        self.seeds = [int(each) for each in (fine.flatten(1)[:, :64].double() * 1e6).long().abs().sum(1)]

    def __call__(self, number: int) -> Tensor:
        whole = torch.stack([self._drawn(seed, number) for seed in self.seeds]).to(self.fine)
        if number == 0:
            whole[(..., *self.part.place)] = self.fine
        return whole

    def _drawn(self, seed: int, number: int) -> Tensor:
        source = torch.Generator().manual_seed((seed * 1_000_003 + number) % 2**63)
        return torch.randn(self.part.inside, generator=source, dtype=torch.float32)


def _shape(coarse: Tensor) -> tuple[int, int, int]:
    """Coarse time, y, x of (B, L, C, M, N)."""
    return coarse.shape[1], coarse.shape[3], coarse.shape[4]


def paper_preset(names: Sequence[str]) -> dict[str, Any]:
    """Settings of Schmidt et al. (2025): γ, σ_y by variable in their normalised units, 256 steps, Jacobian-free.

    Parameters
    ----------
    names : sequence of str
        Of the variables, of psl, tas, uas and vas.

    Raises
    ------
    ArgumentError
        For another variable.
    """
    known = {"psl": 0.1693, "tas": 0.0425, "uas": 0.3268, "vas": 0.3268}
    others = [name for name in names if name not in known]
    if others:
        msg = f"the paper gives no error for {others}, only for {[*known]}. Pass guidance='sda-free' and error=."
        raise ArgumentError(msg)
    return {
        "errors": tuple(known[name] for name in names),
        "guidance": GuidanceSettings("sda-free", 7.2e-4),
        "sampler": PAPER,
        "steps": None,
    }
