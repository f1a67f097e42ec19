"""Shapes of rain areas: area, perimeter, number of pieces and holes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import ValueRangeError
from xdownscale.field.axes import find_axes
from xdownscale.kernels.minkowski import FUNCTIONALS, PERIMETERS, Measure, level_functionals
from xdownscale.metrics.cases import Dim, Weights, average, named_dims, pair
from xdownscale.metrics.cell_sizes import CellSize, cells_of
from xdownscale.metrics.frames import on_frames, whole
from xdownscale.metrics.labels import dress, threshold_label, units_of
from xdownscale.metrics.scorable import scorable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xdownscale.field.axes import Axes

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

Perimeter: TypeAlias = Literal["crofton", "crofton2", "edges"]
"""Crofton's formula with four directions or two, or the length of the cell edges."""

Connectivity: TypeAlias = Literal[4, 8]
"""Whether cells join into pieces along edges only, or also across corners; holes use the other rule."""

COUNTS = ("components", "holes")


def minkowski_functionals(
    field: xr.DataArray,
    *,
    thresholds: float | Sequence[float],
    perimeter: Perimeter = "crofton",
    connectivity: Connectivity = 4,
    components: bool = False,
    cell_size: CellSize = None,
    dim: Dim = None,
    skipna: bool = False,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Area, perimeter and Euler characteristic of the set of cells that reach a threshold.

    The values are exact for the cells. The Euler characteristic is the number of pieces less that of holes. Outside the
    frame everything counts as dry: a rain area at the border has part of its perimeter there, and a completely wet
    frame is one piece. With ``dim=()``, the result is the curve of each functional over the thresholds for every frame.

    Parameters
    ----------
    field : DataArray
        With two space dimensions, which are always reduced.
    thresholds : float or sequence of float
        Cells at or above the threshold are wet, in the units of the data.
    perimeter : {"crofton", "crofton2", "edges"}
        Crofton's formula with four directions, with which discs have the perimeter of circles, or with two; or the
        length of the cell edges, for which P ≥ 4·√A always holds (and therefore the isoperimetric P² ≥ 4π·A).
    connectivity : {4, 8}
        Whether cells join into pieces along edges only, or also across corners; holes use the other rule.
    components : bool
        Whether to also count "components" and "holes", the two terms of the Euler characteristic, which is slower.
    cell_size : float, (float, float) or "grid", optional
        Sides of the cells, along (y, x), in a unit of length: area and perimeter are then in that unit. "grid" takes
        them from the coordinates, in km on latitude-longitude grids. None counts cells.
    dim : str or iterable of str, optional
        Other dimensions to average over; None for all.
    skipna : bool
        Whether to leave out frames with missing values; otherwise they give NaN.
    dims : mapping, optional
        Names of dimensions by role, such as ``{"y": "eta", "x": "xi"}``.

    Returns
    -------
    DataArray
        In cells, cell edges, and 1 per frame, with the dimensions ``threshold`` and ``functional``: "area",
        "perimeter" and "euler_characteristic", then "components" and "holes" if requested.

    Raises
    ------
    ValueRangeError
        If thresholds, perimeter, connectivity or cell size are not as above.

    See Also
    --------
    xdownscale.metrics.minkowski_distance : Distance of the curves of Minkowski functionals.
    xdownscale.plot.gamma_curves : The same as a plot.

    References
    ----------
    Legland et al. (2007), computation of Minkowski measures on 2D and 3D binary images, doi:10.5566/ias.v26.p83-92.

    Examples
    --------
    >>> ring = np.ones((5, 5))
    >>> ring[2, 2] = 0
    >>> minkowski_functionals(xr.DataArray(ring, dims=("y", "x")), thresholds=1).values.round(1)
    array([24. , 20.5,  0. ])
    """
    field = scorable(field, "field")
    axes = find_axes(field, dims=dims)
    shape = ShapeMeasure.of(field, axes, perimeter, connectivity, cell_size, components=components)
    plain = whole(field.reset_coords(drop=True), axes)
    over = tuple(d for d in named_dims(field, dim) if d not in axes.spatial)
    label = threshold_label(thresholds, units_of(field))
    complete = plain.notnull().all(axes.spatial)
    curves = curves_of(plain, label, axes, shape).where(complete)
    score = average(curves, over, None, skipna=skipna).transpose(..., "threshold", "functional")
    score = score if np.ndim(thresholds) else score.isel(threshold=0)
    title = "area, perimeter and Euler characteristic"
    return dress(score, field, name="minkowski_functionals", long_name=title, units=None)


def minkowski_error(
    observations: xr.DataArray,
    forecasts: xr.DataArray,
    *,
    thresholds: float | Sequence[float],
    dim: Dim = None,
    member_dim: str = "member",
    weights: Weights = "area",
    skipna: bool = False,
    keep_attrs: bool | None = None,
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """Mean of :func:`minkowski_functionals` of the members minus that of the observations.

    Parameters
    ----------
    observations, forecasts : DataArray
        With two space dimensions, which are always reduced.
    thresholds : float or sequence of float
        Cells at or above the threshold are wet, in the units of the data.
    dim, member_dim, weights : optional
        As in :func:`~xdownscale.metrics.mse`; weights along space are averaged.
    skipna : bool
        Whether to leave out frames with a missing value in observation or any member; otherwise they give NaN.
    keep_attrs : optional
        As in :func:`~xdownscale.metrics.mse`; weights along space are averaged.
    dims : mapping, optional
        Names of dimensions by role, such as ``{"y": "eta", "x": "xi"}``.

    Returns
    -------
    DataArray
        In cells, cell edges, and 1 per frame, with the dimensions ``threshold`` and ``functional``. A
        perimeter that is too long for the area means ragged edges; an Euler characteristic that is too large means
        fragmented rain.

    Raises
    ------
    DimensionError, UnitsError, ValueRangeError
        As :func:`~xdownscale.metrics.mse`.

    See Also
    --------
    xdownscale.metrics.minkowski_functionals : Area, perimeter and number of pieces of level sets.
    xdownscale.metrics.minkowski_distance : Distance of the curves of Minkowski functionals.

    References
    ----------
    Legland et al. (2007), computation of Minkowski measures, doi:10.5566/ias.v26.p83-92.

    Examples
    --------
    >>> truth = xr.DataArray(np.ones((4, 4)), dims=("y", "x"))
    >>> specks = truth * (np.indices((4, 4)).sum(0) % 2)
    >>> minkowski_error(truth, specks, thresholds=1).sel(functional="euler_characteristic").item()
    7.0
    """
    cases = pair(observations, forecasts, dim=dim, member_dim=member_dim, weights=weights, skipna=skipna)
    frames, axes = on_frames(cases, dims)
    label = threshold_label(thresholds, cases.units)
    complete = frames.complete.all(axes.spatial)
    parts = (frames.observations, frames.forecasts)
    ours, theirs = (curves_of(part, label, axes, ShapeMeasure()) for part in parts)
    score = frames.average((theirs.mean(member_dim) - ours).where(complete))
    score = score.transpose(..., "threshold", "functional")
    score = score if np.ndim(thresholds) else score.isel(threshold=0)
    title = "error of area, perimeter and Euler characteristic"
    return dress(
        score, observations, name="minkowski_error", long_name=title, units=None, keep_attrs=keep_attrs
    )


@dataclass(frozen=True)
class ShapeMeasure:
    """The functionals to compute for every frame, and their conventions.

    Parameters
    ----------
    measure : Measure
    components : bool
        Whether components and holes are counted.
    """

    measure: Measure = field(default_factory=Measure)
    components: bool = False

    @classmethod
    def of(
        cls,
        field: xr.DataArray,
        axes: Axes,
        perimeter: str,
        connectivity: int,
        cell_size: CellSize,
        *,
        components: bool,
    ) -> ShapeMeasure:
        """The measure from the arguments of a user.

        Raises
        ------
        ValueRangeError
            If an argument is unknown.
        """
        if perimeter not in PERIMETERS:
            msg = f"perimeter={perimeter!r} is not known; pass one of {', '.join(map(repr, PERIMETERS))}."
            raise ValueRangeError(msg)
        if connectivity not in (4, 8):
            msg = f"connectivity={connectivity!r}: pieces join along 4 sides or to 8 neighbours. Pass 4 or 8."
            raise ValueRangeError(msg)
        return cls(Measure(perimeter, connectivity, cells_of(field, axes, cell_size)), components)

    @property
    def functionals(self) -> tuple[str, ...]:
        """Their names."""
        return FUNCTIONALS + (COUNTS if self.components else ())

    def __call__(self, values: Array, thresholds: Array) -> Array:
        """Functionals (..., Q, names) of frames (..., y, x)."""
        found = level_functionals(values, thresholds, self.measure)
        if not self.components:
            return np.asarray(found)
        pieces = np.empty(found.shape[:-1])
        for place in np.ndindex(values.shape[:-2]):
            pieces[place] = [_pieces(values[place] >= u, self.measure.connectivity) for u in thresholds]
        return np.concatenate([found, pieces[..., None], (pieces - found[..., 2])[..., None]], axis=-1)


def curves_of(field: xr.DataArray, label: xr.DataArray, axes: Axes, shape: ShapeMeasure) -> xr.DataArray:
    """Functionals of every frame at every threshold, along the last dimensions ``threshold`` and ``functional``."""
    names = list(shape.functionals)
    found: xr.DataArray = xr.apply_ufunc(
        partial(shape, thresholds=label.values),
        field,
        input_core_dims=[list(axes.spatial)],
        output_core_dims=[["threshold", "functional"]],
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {"threshold": label.size, "functional": len(names)}},
        output_dtypes=[np.float64],
    )
    return found.assign_coords(threshold=label, functional=names)


def _pieces(inside: Array, connectivity: int) -> int:
    """Number of connected components."""
    from scipy import ndimage

    return int(ndimage.label(inside, np.ones((3, 3)) if connectivity == 8 else None)[1])
