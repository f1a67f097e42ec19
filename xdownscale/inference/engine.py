"""The engine: members of a coarse domain, tile by tile, in memory or lazily, the same bits either way."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tqdm.auto import tqdm

from xdownscale.errors import TileError, XDownscaleError
from xdownscale.inference.noise import noise_window
from xdownscale.inference.tiles import Tile, plan_tiles
from xdownscale.kernels.blocks import block_repeat
from xdownscale.models.generator import FILLED
from xdownscale.models.spans import counted_from
from xdownscale.models.threads import share_out, workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from xdownscale.kernels.blocks import Blocks
    from xdownscale.models.method import Method
    from xdownscale.models.spans import Span, Spans

CORE = (16, 96, 96)
"""Coarse frames and cells of a core where nobody chooses one, as :mod:`~xdownscale.inference.cores` does."""

TOGETHER = 2**19
"""Fine values up to which members of a small tile pass at once: one by one, most of the time is calls. The memory of a
tile is that of one member, so those of a large one pass one by one."""


@dataclass(frozen=True)
class Job:
    """One ensemble of one field.

    Parameters
    ----------
    method : Method
        Trained.
    origin : tuple of int
        Absolute index (time, y, x) of the first coarse cell.
    seed, members : int
        Which ensemble, and how many of its members.
    conserve : bool
        Whether block means are conserved.
    core : tuple of int
        Coarse frames and cells of a tile.
    device : str
        A torch device.
    chosen : tuple of int, optional
        Fine cells per coarse cell along (time, y, x), for a method that supports several; None for its only ones.
    """

    method: Method
    origin: tuple[int, int, int]
    seed: int = 0
    members: int = 1
    conserve: bool = True
    core: tuple[int, int, int] = CORE
    device: str = "cpu"
    chosen: Blocks | None = None

    @property
    def targets(self) -> int:
        """How many variables it gives."""
        return len(self.method.settings.transforms)

    @property
    def blocks(self) -> Blocks:
        """Fine cells per coarse cell along (time, y, x)."""
        return self.method.factors.chosen(None, None).blocks if self.chosen is None else self.chosen

    def tiles(self, shape: tuple[int, int, int]) -> list[Tile]:
        """The plan for a domain of coarse (time, y, x) cells."""
        cells, frames = self.method.halo(self.blocks)
        if self.method.whole and self.method.causal:
            return plan_tiles(shape, core=(self.core[0], *shape[1:]), halo=(frames, 0, 0))
        if self.method.whole:
            time, y, x = (slice(0, size) for size in shape)
            return [Tile((time, y, x), (time, y, x))]
        return plan_tiles(shape, core=self.core, halo=(frames, cells, cells))


def sample(
    job: Job,
    coarse: NDArray[np.float32],
    static: NDArray[np.float32] | None = None,
    *,
    progress: bool = False,
) -> NDArray[np.float32]:
    """All members of a field in memory.

    Tiles and members are shared out among the cores, each of which computes in one thread. With more than one core,
    memory is the result and one tile for each of them.

    Parameters
    ----------
    job : Job
    coarse : array, shape (K, C, M, N)
        Block means of the targets, then of the predictors, in the units of the method, NaN where unknown.
    static : array, shape (fields, S_y·M, S_x·N), optional
        Standardised static fields.
    progress : bool
        Show a progress bar.

    Returns
    -------
    array, shape (members, T·K, targets, S_y·M, S_x·N)
    """
    t, i, j = job.blocks
    k, _, m, n = coarse.shape
    fine = np.empty((job.members, t * k, job.targets, i * m, j * n), np.float32)
    tiles = job.tiles((k, m, n))
    bar = tqdm(total=len(tiles) * job.members, disable=not progress, unit="tile", desc="downscale")

    def place(work: tuple[Tile, range]) -> None:
        tile, members = work
        frames, rows, columns = (
            slice(p.start * b, p.stop * b) for p, b in zip(tile.core, (t, i, j), strict=True)
        )
        for member, values in zip(members, sample_tile(job, tile, coarse, static, members), strict=True):
            fine[member, frames, :, rows, columns] = values
            bar.update()

    with bar:
        share_out(place, _shares(tiles, job), most=max(tile.cells for tile in tiles) * t * i * j)
    return fine


def _shares(tiles: list[Tile], job: Job) -> list[tuple[Tile, range]]:
    """Tiles, and parts of their members where there are fewer tiles than cores: a part encodes the condition anew."""
    parts = 1 if job.device != "cpu" else max(1, min(job.members, -(-workers(job.members) // len(tiles))))
    edges = [job.members * part // parts for part in range(parts + 1)]
    return [(tile, range(low, high)) for tile in tiles for low, high in pairwise(edges)]


def sample_tile(
    job: Job,
    tile: Tile,
    coarse: NDArray[np.float32],
    static: NDArray[np.float32] | None,
    members: range,
) -> Iterator[NDArray[np.float32]]:
    """The core of a tile, member by member; the condition is encoded once.

    Raises
    ------
    TileError
        Naming the tile, whatever went wrong in it.
    """
    try:
        yield from _sample_tile(job, tile, coarse, static, members)
    except (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError) as cause:
        if isinstance(cause, XDownscaleError):
            raise
        raise TileError(_where(job, tile, members, cause)) from cause


def _where(job: Job, tile: Tile, members: range, cause: Exception) -> str:
    """What went wrong in which tile, in absolute coarse indices."""
    parts = zip(("frames", "rows", "columns"), tile.core, job.origin, strict=True)
    named = ", ".join(
        f"{name} {part.start + first} to {part.stop + first - 1}" for name, part, first in parts
    )
    said = (str(cause).splitlines() or [""])[0] or type(cause).__name__
    sizes = tuple(max(1, (part.stop - part.start) // 2) for part in tile.core)
    return (
        f"the tile of coarse {named} (absolute), members {members.start} to {members.stop - 1}, failed: {said}. "
        f"If memory ran out, pass a smaller one: downscale(..., tile={sizes})."
    )


def _sample_tile(
    job: Job,
    tile: Tile,
    coarse: NDArray[np.float32],
    static: NDArray[np.float32] | None,
    members: range,
) -> Iterator[NDArray[np.float32]]:
    """The same, with errors as they are."""
    blocks = job.blocks
    if np.isnan(_window(coarse, tile)).any():
        tile = tile.widened(FILLED, (coarse.shape[0], *coarse.shape[2:]))
    here = np.ascontiguousarray(_window(coarse, tile), np.float32)
    core = counted_from(tile.core, tile.window)
    spans = job.method.spans(core, (here.shape[0], *here.shape[2:]), blocks)
    place = _fine(counted_from(core, spans.inner), blocks)
    wanted = np.ascontiguousarray(here[_channels_of(spans.inner, job.targets)])
    missing = torch.from_numpy(np.isnan(wanted))
    if _is_dry(job, here, core):
        dry = _repeated(torch.where(missing, torch.nan, 0.0).float(), blocks).numpy()[place]
        yield from (dry for _ in members)
        return
    ground = None
    if static is not None:
        beneath = (slice(w.start * b, w.stop * b) for w, b in zip(tile.window[1:], blocks[1:], strict=True))
        ground = torch.from_numpy(np.ascontiguousarray(static[:, *beneath])).unsqueeze(0).to(job.device)
    with torch.inference_mode():
        window: Any = job.method.prepare(
            torch.from_numpy(here).unsqueeze(0).to(job.device), ground, blocks=blocks, spans=spans
        )
        count = max(1, TOGETHER // (wanted[:, 0].size * prod(blocks)))
        for some in (members[first : first + count] for first in range(0, len(members), count)):
            shared = window.repeated(len(some))
            latent = job.method.latent(shared, _noise(job, tile, spans, some), conserve=job.conserve)
            ensemble = job.method.finish(shared, latent, conserve=job.conserve).cpu()
            if bool(missing.any()):
                ensemble = torch.where(_repeated(missing, blocks), torch.nan, ensemble)
            yield from (values[place].numpy() for values in ensemble)


def _is_dry(job: Job, here: NDArray[np.float32], core: Span) -> bool:
    """Whether a core is dry for certain: a cell without rain that is conserved has none, whatever lies around it."""
    settings = job.method.settings
    if not all(each.nonnegative for each in settings.transforms):
        return False
    seen = (
        _channels_of(core, job.targets) if job.conserve and settings.conserving else np.s_[:, : job.targets]
    )
    return not np.nan_to_num(here[seen]).any()


def _noise(job: Job, tile: Tile, spans: Spans, members: range) -> list[Tensor]:
    """The noise of some members over the parts of a window that its sets of maps lie on."""
    maps, apart = job.method.noise_maps(job.blocks), job.method.coarse_maps
    each = []
    for member in members:
        drawn: list[Tensor] = []
        for first, sets, span in ((0, maps[:apart], spans.outer), (apart, maps[apart:], spans.inner)):
            start = tuple(
                corner + window.start + part.start
                for corner, window, part in zip(job.origin, tile.window, span, strict=True)
            )
            shape = tuple(part.stop - part.start for part in span)
            drawn += noise_window(
                sets,
                seed=job.seed,
                member=member,
                start=(start[0], start[1], start[2]),
                shape=(shape[0], shape[1], shape[2]),
                first=first,
            )
        each.append(drawn)
    return [torch.cat(same).to(job.device) for same in zip(*each, strict=True)]


def _fine(span: Span, blocks: Blocks) -> tuple[slice, slice, slice, slice]:
    """A part of a window in fine values (T·L, targets, H, W)."""
    frames, rows, columns = (
        slice(part.start * size, part.stop * size) for part, size in zip(span, blocks, strict=True)
    )
    return frames, slice(None), rows, columns


def _channels_of(span: Span, targets: int) -> tuple[slice, slice, slice, slice]:
    """The targets in a part of a coarse window (K, C, M, N)."""
    return span[0], slice(0, targets), span[1], span[2]


def _window(coarse: NDArray[np.float32], tile: Tile) -> NDArray[np.float32]:
    """What a tile looks at, (K, C, M, N)."""
    frames, rows, columns = tile.window
    return coarse[frames, :, rows, columns]


def _repeated(values: Tensor, blocks: Blocks) -> Tensor:
    """Coarse values (K, C, M, N) on the fine grid."""
    return block_repeat(values.transpose(0, 1), blocks).transpose(0, 1)


def token_of(job: Job) -> str:
    """A name of the job for the graph: the same work has the same name."""
    import dask.base

    from xdownscale.models.artefact import tensors_hash

    return str(
        dask.base.tokenize(
            tensors_hash(job.method.state_dict()),
            job.origin,
            job.seed,
            job.conserve,
            job.core,
            job.device,
            job.chosen,
            job.method.settings.to_json(),
            job.method.beside,
        )
    )
