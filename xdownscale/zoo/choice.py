"""Which model a call means, and by which factors it refines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdownscale import zoo
from xdownscale.errors import FactorError
from xdownscale.field.factors import Factors

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import xarray as xr

    from xdownscale.models.downscaler import Downscaler


def resolved(
    model: Downscaler | str | os.PathLike[str] | None,
    spatial: int | tuple[int, int] | None,
    temporal: int | None,
    *,
    field: xr.DataArray | xr.Dataset | xr.DataTree,
    dims: Mapping[str, str] | None,
) -> Downscaler:
    """The model: given, named, or selected by factors and the scale of the field.

    Parameters
    ----------
    model : Downscaler, path, name or None
    spatial : int, (int, int) or None
    temporal : int or None
        As the user gave them.
    field : DataArray, Dataset or DataTree
        What is to be refined.
    dims : mapping or None
        Dimension names by role.

    Raises
    ------
    FactorError
        If neither a model nor factors are given.
    """
    from xdownscale.inference.scales import scale_told_by
    from xdownscale.models.downscaler import Downscaler

    if model is None:
        if spatial is None and temporal is None:
            msg = (
                "downscale needs a model or factors: downscale(field, 'rain-10x3'), or downscale(field, spatial=10, "
                "temporal=3)."
            )
            raise FactorError(msg)
        factors = Factors.given(spatial, temporal, "downscale")
        return zoo.find(factors, scale_told_by(field, factors, dims))
    return model if isinstance(model, Downscaler) else zoo.load(model)


def factors_of(model: Downscaler, spatial: int | tuple[int, int] | None, temporal: int | None) -> Factors:
    """The factors of a call, which must be among those of the model; for others of rain, the error names a model.

    Parameters
    ----------
    model : Downscaler
    spatial : int, (int, int) or None
    temporal : int or None
        As the user gave them.

    Raises
    ------
    FactorError
        If the model has not learned them.
    """
    try:
        found: Factors = model.factors.chosen(spatial, temporal)
    except FactorError as error:
        own = model.factors
        if not isinstance(own, Factors) or not all(each.quantity.precipitation for each in model.variables):
            raise
        wanted = Factors.parse(
            own.spatial if spatial is None else spatial, own.time if temporal is None else temporal
        )
        others = [name for name in zoo.general_for(wanted) if name != model.name]
        if not others:
            raise
        msg = (
            f"{error}, or take a pretrained model for many factors: downscale(field, {others[0]!r}, "
            f"spatial={wanted.spatial}, temporal={wanted.time})."
        )
        raise FactorError(msg) from None
    return found
