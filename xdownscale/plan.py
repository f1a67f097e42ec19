"""``plan``: what downscaling a field will take, before it is begun."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import xarray as xr

from xdownscale.downscale import checked_tile
from xdownscale.errors import DimensionError
from xdownscale.field.arguments import whole_number
from xdownscale.field.axes import find_axes
from xdownscale.field.change import fields_of
from xdownscale.field.html import html_tables
from xdownscale.zoo.choice import factors_of, resolved

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from xdownscale.models.downscaler import Downscaler


@dataclass(frozen=True, repr=False)
class Plan:
    """What a call of ``downscale`` will take; ``print(plan)`` shows it.

    Attributes
    ----------
    tiles : int
        Tiles of the domain, of all entries of other dimensions.
    core : tuple of int
        Coarse frames and cells of one.
    passes : int
        Passes of a tile through the network: tiles × members.
    read, written : int
        Bytes of the coarse field, and of the result.
    overhead : float
        Work for all tiles with their halos, over that for the domain as one.
    memory : int
        Largest memory in bytes besides the process itself: one tile for each thread, and for a field in memory the
        result.
    seconds : float
        On this device, measured by a small pass; where a tile is dry less is done, and reading and writing come on top.
    device : str
    workers : int
        Threads that share the work.
    lazy : bool
        Whether the field is in chunks, so that the result need not be in memory.
    """

    tiles: int
    core: tuple[int, int, int]
    passes: int
    read: int
    written: int
    overhead: float
    memory: int
    seconds: float
    device: str
    workers: int
    lazy: bool

    def _rows(self) -> dict[str, str]:
        """What is shown."""
        frames, rows, columns = self.core
        halos = f"coarse cells; halos: {self.overhead:.1f} times the work"
        threads = f"{self.workers} thread" + "s" * (self.workers > 1)
        kept = (
            "the result can be written by region"
            if self.lazy
            else "with the result; chunk the field to write by region"
        )
        return {
            "passes": f"{self.passes:,} ({self.tiles:,} tiles of {frames} x {rows} x {columns} {halos})",
            "reads": _bytes(self.read),
            "gives": _bytes(self.written),
            "memory": f"{_bytes(self.memory)} ({kept})",
            "time": f"{_time(self.seconds)} on {self.device} with {threads}, if it rains everywhere",
        }

    def __str__(self) -> str:
        return "\n".join(f"{name:<7} {value}" for name, value in self._rows().items())

    def __repr__(self) -> str:
        return "\n".join(["<xdownscale.Plan>", *(f"  {line}" for line in str(self).splitlines())])

    def _repr_html_(self) -> str:
        return html_tables("xdownscale.Plan", {None: self._rows()})


def plan(
    field: xr.DataArray | xr.Dataset,
    model: Downscaler | str | os.PathLike[str] | None = None,
    *,
    spatial: int | tuple[int, int] | None = None,
    temporal: int | None = None,
    members: int = 1,
    tile: tuple[int, int, int] | None = None,
    device: str = "auto",
    dims: Mapping[str, str] | None = None,
) -> Plan:
    """What downscaling a field will take; one small pass is timed, and nothing of the field is computed.

    Parameters
    ----------
    field, model, spatial, temporal, members, tile, device, dims : DataArray or Dataset, and options
        As for :func:`xdownscale.downscale`.

    Returns
    -------
    Plan

    Raises
    ------
    DimensionError, ArgumentError, WeightsNotFoundError, DeviceError
        As :func:`xdownscale.downscale` does.

    See Also
    --------
    xdownscale.downscale : Draw an ensemble of fine fields.
    xdownscale.write.to_zarr : Write a lazy result region by region, and resume it.

    Examples
    --------
    >>> import xdownscale
    >>> coarse = xdownscale.tutorial.rain((36, 200, 200)).sr.coarsen(spatial=10, temporal=3)
    >>> print(coarse.sr.plan(spatial=10, temporal=3, members=5))  # doctest: +ELLIPSIS
    passes  5 (1 tiles of 12 x 20 x 20 coarse cells; halos: 1.0 times the work)
    reads   ...
    gives   28.8 MB
    memory  ...
    time    ...
    """
    from xdownscale.inference.cores import core_for, tile_bytes, work_of
    from xdownscale.inference.lazy import CHUNK_BYTES
    from xdownscale.inference.scales import scale_told_by
    from xdownscale.inference.tiles import plan_tiles
    from xdownscale.inference.timing import seconds_per_work
    from xdownscale.models.device import chosen_device
    from xdownscale.models.threads import workers

    members, chosen = whole_number(members, "members", least=1), checked_tile(tile)
    where = chosen_device(device)
    downscaler = resolved(model, spatial, temporal, field=field, dims=dims)
    factors = factors_of(downscaler, spatial, temporal)
    first = _one_of(field, downscaler, dims)
    axes = find_axes(first, dims=dims, need_time=factors.time > 1)
    steps = first.sizes[axes.time] if axes.time else 1
    shape = (steps, first.sizes[axes.y], first.sizes[axes.x])
    entries, blocks = first.size // prod(shape), factors.blocks
    method = downscaler.method.at(scale_told_by(first, factors, dims))
    lazy = first.chunks is not None
    core = chosen or core_for(shape, method, blocks, lazy=lazy)
    tiles = len(plan_tiles(shape, core=core, halo=(0, 0, 0)))
    work = work_of(core, shape, method, blocks) * members * entries
    threads = workers(tiles * members) if where == "cpu" else 1
    values = prod(shape) * prod(blocks) * members * entries * len(downscaler.targets)
    inside = tuple(min(c, size) for c, size in zip(core, shape, strict=True))
    tile_memory = tile_bytes((inside[0], inside[1], inside[2]), shape, method, blocks)
    return Plan(
        tiles=tiles * entries,
        core=core,
        passes=tiles * members * entries,
        read=int(first.nbytes),
        written=4 * values,
        overhead=work_of(core, shape, method, blocks) / work_of(shape, shape, method, blocks),
        memory=int(threads * tile_memory + (2 * threads * CHUNK_BYTES if lazy else 4 * values)),
        seconds=seconds_per_work(method, blocks, where) * work / threads,
        device=where,
        workers=threads,
        lazy=lazy,
    )


def _one_of(
    field: xr.DataArray | xr.Dataset, model: Downscaler, dims: Mapping[str, str] | None
) -> xr.DataArray:
    """The field itself, or the first target in a Dataset."""
    if isinstance(field, xr.DataArray):
        return field
    found = fields_of(field, dims)
    names: list[Any] = [name for name in found if name in model.targets] or [*found]
    if not names:
        msg = (
            f"plan found no field with y and x among {[str(name) for name in field.data_vars]}. Pass dims=..."
        )
        raise DimensionError(msg)
    first: xr.DataArray = field[names[0]]
    return first


def _bytes(count: float) -> str:
    """A number of bytes in words.

    >>> _bytes(28_800_000)
    '28.8 MB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB" if count < 1000 else f"{count:,.0f} TB"


def _time(seconds: float) -> str:
    """A duration in words.

    >>> _time(90), _time(2 * 86400)
    ('1.5 minutes', '2 days')
    """
    for name, size in (("days", 86_400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 1.5 * size or (seconds >= size and name != "days"):
            return f"{seconds / size:.2g} {name}"
    return f"{seconds:.2g} seconds"
