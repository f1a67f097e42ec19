"""Deterministic networks under the names used in tables. They are trained on the user's fine field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xdownscale.downscale import downscale
from xdownscale.errors import ArgumentError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import xarray as xr

    from xdownscale.models.downscaler import Downscaler


def edsr(
    coarse: xr.DataArray,
    spatial: int | tuple[int, int] | None = None,
    temporal: int | None = None,
    *,
    model: Downscaler | str | os.PathLike[str],
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """The result of an EDSR, the residual network of Lim et al. (2017), with an image for each fine step.

    There are no pretrained weights: those of the paper are for photographs, and the library ships none. Train it on a
    fine field, ``model = xdownscale.train(fine, 10, 3, method="edsr")``.

    Parameters
    ----------
    coarse : DataArray
        Coarse field.
    spatial : int or (int, int), optional
        Fine cells per coarse cell; if passed, they must be those of the model.
    temporal : int, optional
        Fine steps per coarse step, likewise.
    model : Downscaler or path
        Trained with ``method="edsr"``.
    dims : mapping, optional
        Names of dimensions by role, where they are not recognised.

    Returns
    -------
    DataArray
        A single field without members, as from :func:`xdownscale.downscale`. Block means are not conserved.

    Raises
    ------
    ArgumentError
        If the model is of another kind, or for other factors.

    See Also
    --------
    xdownscale.baselines.median : A median net, the reference for the absolute error.
    xdownscale.train : Train a model on fine fields.

    References
    ----------
    Lim et al. (2017), doi:10.1109/CVPRW.2017.151.

    Examples
    --------
    >>> import xdownscale
    >>> rain = xdownscale.tutorial.rain((12, 64, 64))
    >>> model = xdownscale.train(
    ...     rain, 4, method="edsr", recipe="small", steps=1, validation=0.0, progress=False
    ... )
    >>> edsr(rain.sr.coarsen(4), 4, model=model).sizes["y"]
    64
    """
    return _single(coarse, spatial, temporal, model, kind="edsr", dims=dims)


def median(
    coarse: xr.DataArray,
    spatial: int | tuple[int, int] | None = None,
    temporal: int | None = None,
    *,
    model: Downscaler | str | os.PathLike[str],
    dims: Mapping[str, str] | None = None,
) -> xr.DataArray:
    """The result of a median net, ``model = xdownscale.train(fine, 10, 3, method="median")``.

    The exact median has the lowest expected absolute error of all forecasts, and no forecast has a CRPS below half of
    it. The median net is therefore a reference for both scores.

    Parameters
    ----------
    coarse, spatial, temporal : DataArray, and options
        As in :func:`edsr`.
    model : Downscaler or path
        Trained with ``method="median"``.
    dims : mapping, optional
        As in :func:`edsr`.

    Returns
    -------
    DataArray
        A single field without members. Block means are not conserved: the median of rain is below its mean.

    Raises
    ------
    ArgumentError
        If the model is of another kind, or for other factors.

    See Also
    --------
    xdownscale.baselines.edsr : A residual network, deterministic.
    xdownscale.train : Train a model on fine fields.

    Examples
    --------
    >>> import xdownscale
    >>> rain = xdownscale.tutorial.rain((12, 64, 64))
    >>> model = xdownscale.train(
    ...     rain, 4, method="median", recipe="small", steps=1, validation=0.0, progress=False
    ... )
    >>> median(rain.sr.coarsen(4), 4, model=model).sizes["y"]
    64
    """
    return _single(coarse, spatial, temporal, model, kind="median", dims=dims)


def _single(
    coarse: xr.DataArray, spatial: Any, temporal: Any, model: Any, *, kind: str, dims: Any
) -> xr.DataArray:
    """The single member of a deterministic model of a kind."""
    from xdownscale import zoo
    from xdownscale.models.downscaler import Downscaler

    given = model if isinstance(model, Downscaler) else zoo.load(model)
    if given.method.kind != kind:
        msg = (
            f"{given.name!r} is a {given.method.described()}, and {kind} needs another model. Train one: "
            f'train(fine, spatial=..., temporal=..., method="{kind}"), or call downscale(coarse, model).'
        )
        raise ArgumentError(msg)
    made = downscale(coarse, given, spatial=spatial, temporal=temporal, dims=dims)
    return made.isel(member=0, drop=True)
