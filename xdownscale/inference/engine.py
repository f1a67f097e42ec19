"""The engine: members of a coarse domain, tile by tile, in memory or lazily, the same bits either way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from einops import rearrange
from tqdm import tqdm

from xdownscale.inference.noise import noise_window
from xdownscale.inference.tiles import Tile, plan_tiles
from xdownscale.kernels.blocks import block_repeat
from xdownscale.models.generator import FILLED
from xdownscale.models.threads import threads_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xdownscale.kernels.blocks import Blocks
    from xdownscale.models.method import Method

CORE = (16, 96, 96)
"""Coarse frames and cells of a tile's core where a method says nothing else."""

MOST_FRAMES = 96
"""Coarse frames of the longest core."""


def core_for(shape: tuple[int, int, int], method: Method | None = None) -> tuple[int, int, int]:
    """A core for a domain of (time, y, x) coarse cells: a small domain takes more frames at once, since a halo costs.

    >>> core_for((1000, 300, 300)), core_for((1000, 32, 48))
    ((16, 96, 96), (96, 96, 96))
    """
    frames, rows, columns = CORE if method is None else method.core
    share = min(shape[1], rows) * min(shape[2], columns) / (rows * columns)
    return int(min(MOST_FRAMES, frames / share)), rows, columns


TOGETHER = 2**16
"""Fine cells of a frame up to which members of a small tile pass at once: one by one, most of the time is calls."""


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
    def blocks(self) -> Blocks:
        """Fine cells per coarse cell along (time, y, x)."""
        return self.method.factors.chosen(None, None).blocks if self.chosen is None else self.chosen

    def tiles(self, shape: tuple[int, int, int]) -> list[Tile]:
        """The plan for a domain of coarse (time, y, x) cells."""
        cells, frames = self.method.halo(self.blocks)
        return plan_tiles(shape, origin=self.origin, core=self.core, halo=(frames, cells, cells))


def sample(
    job: Job,
    coarse: NDArray[np.float32],
    static: NDArray[np.float32] | None = None,
    *,
    progress: bool = False,
) -> NDArray[np.float32]:
    """All members of a field in memory.

    Parameters
    ----------
    job : Job
    coarse : array, shape (K, M, N)
        Block means in the units of the method, NaN where unknown.
    static : array, shape (fields, S_y·M, S_x·N), optional
        Standardised static fields.
    progress : bool
        Show a progress bar.

    Returns
    -------
    array, shape (members, T·K, S_y·M, S_x·N)
    """
    t, i, j = job.blocks
    k, m, n = coarse.shape
    fine = np.empty((job.members, t * k, i * m, j * n), np.float32)
    tiles = job.tiles((k, m, n))
    bar = tqdm(total=len(tiles) * job.members, disable=not progress, unit="tile", desc="downscale")
    with bar, threads_for(max(tile.cells for tile in tiles) * t * i * j):
        for tile in tiles:
            place = tuple(slice(p.start * b, p.stop * b) for p, b in zip(tile.core, (t, i, j), strict=True))
            for member, values in enumerate(sample_tile(job, tile, coarse, static, range(job.members))):
                fine[member][place] = values
                bar.update()
    return fine


def sample_lazily(job: Job, coarse: Any, static: NDArray[np.float32] | None = None) -> Any:
    """All members of a field as a dask array, one task for each tile and member.

    Weights and static fields are in the graph once. Parameters and result as in :func:`sample`, for dask arrays. The
    coarse field, which is T·S_y·S_x times smaller than one member, is one chunk.
    """
    import dask.array as da
    from dask.delayed import delayed

    blocks = job.blocks
    tiles = job.tiles(coarse.shape)
    held = delayed(job, pure=True, traverse=False, name=f"xdownscale-job-{_token(job)}")
    whole, ground = delayed(coarse.rechunk(-1)), delayed(static, pure=True, traverse=False)
    one = delayed(_one_member, pure=True)
    places: dict[tuple[int, ...], Any] = {}
    starts = [sorted({tile.core[axis].start for tile in tiles}) for axis in range(3)]
    for tile in tiles:
        size = tuple((p.stop - p.start) * b for p, b in zip(tile.core, blocks, strict=True))
        index = tuple(starts[axis].index(tile.core[axis].start) for axis in range(3))
        for member in range(job.members):
            values = one(held, tile, whole, ground, member)
            places[(member, *index)] = da.from_delayed(values, (1, *size), np.float32)
    counts = (job.members, *(len(s) for s in starts))
    nested = np.empty(counts, object)
    for where, block in places.items():
        nested[where] = block
    return da.block(nested.tolist())


def sample_tile(
    job: Job,
    tile: Tile,
    coarse: NDArray[np.float32],
    static: NDArray[np.float32] | None,
    members: range,
) -> Iterator[NDArray[np.float32]]:
    """The core of a tile, member by member; the condition is encoded once."""
    blocks = job.blocks
    if np.isnan(coarse[tile.window]).any():
        tile = tile.widened(FILLED, (coarse.shape[0], coarse.shape[1], coarse.shape[2]))
    here = np.ascontiguousarray(coarse[tile.window], np.float32)
    core = tuple(
        slice(c.start - w.start, c.stop - w.start) for c, w in zip(tile.core, tile.window, strict=True)
    )
    place = tuple(slice(c.start * b, c.stop * b) for c, b in zip(core, blocks, strict=True))
    missing = torch.from_numpy(np.isnan(here))
    if job.method.settings.transform.nonnegative and not np.nan_to_num(here).any():
        dry = block_repeat(torch.where(missing, torch.nan, 0.0).float(), blocks).numpy()[place]
        yield from (dry for _ in members)
        return
    start = tuple(first + part.start for first, part in zip(job.origin, tile.window, strict=True))
    ground = None
    if static is not None:
        rows, columns = (
            slice(w.start * b, w.stop * b) for w, b in zip(tile.window[1:], blocks[1:], strict=True)
        )
        ground = torch.from_numpy(np.ascontiguousarray(static[:, rows, columns])).unsqueeze(0).to(job.device)
    with torch.inference_mode():
        maps = job.method.noise_maps(blocks)
        window: Any = job.method.prepare(
            torch.from_numpy(here).unsqueeze(0).to(job.device), ground, blocks=blocks
        )
        count = max(1, TOGETHER // (here.shape[1] * blocks[1] * here.shape[2] * blocks[2]))
        for some in (members[first : first + count] for first in range(0, len(members), count)):
            each = [
                noise_window(
                    maps,
                    seed=job.seed,
                    member=member,
                    start=(start[0], start[1], start[2]),
                    shape=(here.shape[0], here.shape[1], here.shape[2]),
                )
                for member in some
            ]
            noise = [torch.cat(maps).to(job.device) for maps in zip(*each, strict=True)]
            shared = window.repeated(len(some))
            latent = job.method.latent(shared, noise, conserve=job.conserve)
            ensemble = job.method.finish(shared, latent, conserve=job.conserve).cpu()
            if bool(missing.any()):
                ensemble = torch.where(block_repeat(missing, blocks), torch.nan, ensemble)
            yield from (values[place].numpy() for values in ensemble)


def _one_member(
    job: Job, tile: Tile, coarse: NDArray[np.float32], static: NDArray[np.float32] | None, member: int
) -> NDArray[np.float32]:
    """One task: one tile of one member, with a leading member axis."""
    with threads_for():  # dask works on several tasks at once
        values = next(sample_tile(job, tile, coarse, static, range(member, member + 1)))
    return np.asarray(rearrange(values, "t y x -> 1 t y x"))


def _token(job: Job) -> str:
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
        )
    )
