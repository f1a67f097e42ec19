"""Wind speed converted to the power of a wind turbine, as a share of its rated power."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from xdownscale.errors import UnitsError, ValueRangeError
from xdownscale.field.attrs import keeps_attrs
from xdownscale.field.units import to_units
from xdownscale.metrics.labels import real_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


_OF_SPEED = ("standard_name", "valid_min", "valid_max", "valid_range")
"""Attributes of speed that do not apply to power."""


def wind_power(
    speed: xr.DataArray,
    *,
    height: float = 10.0,
    hub: float = 100.0,
    exponent: float = 1 / 7,
    cut_in: float = 3.0,
    rated: float = 12.0,
    cut_out: float = 25.0,
    curve: Mapping[float, float] | None = None,
    keep_attrs: bool | None = None,
) -> xr.DataArray:
    """Power of a wind turbine as a share of its rated power (capacity factor).

    Speed is extrapolated to the hub by a power law, v_hub = v·(hub/height)^α, and converted to power by the power curve
    of a turbine. The function is not a score: pass the power of observations and of members to any score. The cube
    gives errors of strong wind the weight that they have in a power system.

    Parameters
    ----------
    speed : DataArray
        Wind speed in units convertible to m/s; for components, ``np.hypot(uas, vas)`` with units assigned again.
    height, hub : float
        Height of `speed` and of the hub, in metres.
    exponent : float
        α. 1/7 is the usual value for open land in neutral stratification.
    cut_in, rated, cut_out : float
        Speeds at the hub, in m/s, at which the turbine starts, reaches its rated power, and stops. Between the
        first two, power increases with the cube of speed: P = (v³ − v_in³)/(v_rated³ − v_in³). The defaults are those
        of a common onshore turbine of 3 MW.
    curve : mapping, optional
        Mapping from speed at the hub in m/s to share of rated power for a specific turbine, instead of the three
        speeds: linear between its points, and 0 outside of them.
    keep_attrs : bool, optional
        As in :func:`~xdownscale.metrics.mse`.

    Returns
    -------
    DataArray
        Between 0 and 1 for the default curve, dims as `speed`; lazy for lazy input.

    Raises
    ------
    UnitsError
        If `speed` has no units, or not those of a speed.
    ValueRangeError
        If a height is not positive, speeds do not increase, or a curve has fewer than two points.

    See Also
    --------
    xdownscale.metrics.crps_ensemble : A score of the power of members.

    References
    ----------
    Schmidt et al. (2025, arXiv:2412.15361) judge downscaled wind by its power with a hub of 100 m and α = 1/7.

    Examples
    --------
    >>> speed = xr.DataArray([0.0, 5.0, 9.0, 20.0], dims="time", attrs={"units": "m s-1"})
    >>> wind_power(speed).round(2).values
    array([0.  , 0.18, 1.  , 0.  ])
    """
    heights = real_numbers([height, hub], "height and hub", "100")
    if not heights.min() > 0:
        msg = f"height={height} and hub={hub} are metres above ground. Pass positive ones, as in height=10, hub=100."
        raise ValueRangeError(msg)
    points = _cubic(cut_in, rated, cut_out) if curve is None else _given(curve)
    aloft = _in_metres_per_second(speed) * (hub / height) ** exponent
    power: xr.DataArray = xr.apply_ufunc(
        _power, aloft, kwargs={"points": points}, dask="parallelized", output_dtypes=[np.float64]
    )
    kept = speed.attrs if keeps_attrs(keep_attrs=keep_attrs) else {}
    kept = {
        key: value for key, value in kept.items() if key not in ("standard_name", "valid_min", "valid_max")
    }
    return power.rename("wind_power").assign_attrs(
        {**kept, "long_name": "wind power over rated power", "units": "1"}
    )


def _in_metres_per_second(speed: xr.DataArray) -> xr.DataArray:
    """Wind speed in m/s."""
    units = str(speed.attrs.get("units", ""))
    if units in ("m s-1", "m/s", "m s**-1", "m s^-1"):
        return speed
    if not units:
        msg = "the speed has no units. Set them: speed.assign_attrs(units='m s-1')."
        raise UnitsError(msg)
    return to_units(speed, "m s-1")


def _cubic(cut_in: float, rated: float, cut_out: float) -> tuple[Array, Array]:
    """Points of the cubic curve, a tenth of a metre per second apart."""
    if not 0 <= cut_in < rated < cut_out:
        msg = f"cut_in={cut_in}, rated={rated}, cut_out={cut_out} must increase. Pass cut_in=3, rated=12, cut_out=25."
        raise ValueRangeError(msg)
    v = np.linspace(cut_in, rated, 1 + round(10 * (rated - cut_in)))
    power = (v**3 - cut_in**3) / (rated**3 - cut_in**3)
    return np.append(v, cut_out), np.append(power, 1.0)


def _given(curve: Mapping[float, float]) -> tuple[Array, Array]:
    """Points of a curve, by speed."""
    if len(curve) < 2:
        msg = "curve needs at least two points. Pass for example curve={3: 0.0, 12: 1.0, 25: 1.0}."
        raise ValueRangeError(msg)
    v = np.array(sorted(curve), float)
    return v, np.array([curve[each] for each in sorted(curve)], float)


def _power(speed: Array, *, points: tuple[Array, Array]) -> Array:
    """Linear between the points, 0 outside; missing values stay missing."""
    return np.where(np.isnan(speed), np.nan, np.interp(speed, *points, left=0.0, right=0.0))
