"""Limits that values cannot pass: wind speed is never negative, relative humidity lies between 0 and 100 %."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from xdownscale.field.quantity import quantity_of

if TYPE_CHECKING:
    import xarray as xr

_FRACTIONS: Final = frozenset(
    {
        "cloud_area_fraction",
        "cloud_area_fraction_in_atmosphere_layer",
        "high_type_cloud_area_fraction",
        "low_type_cloud_area_fraction",
        "medium_type_cloud_area_fraction",
        "relative_humidity",
        "sea_ice_area_fraction",
        "surface_albedo",
        "surface_snow_area_fraction",
        "vegetation_area_fraction",
    }
)
"""CF standard names of fractions of a whole."""

_NOT_NEGATIVE: Final = frozenset(
    {
        "atmosphere_boundary_layer_thickness",
        "atmosphere_convective_available_potential_energy",
        "atmosphere_mass_content_of_cloud_condensed_water",
        "atmosphere_mass_content_of_cloud_ice",
        "atmosphere_mass_content_of_water_vapor",
        "canopy_water_amount",
        "humidity_mixing_ratio",
        "lwe_thickness_of_surface_snow_amount",
        "mass_content_of_water_in_soil",
        "sea_ice_thickness",
        "sea_surface_wave_significant_height",
        "specific_humidity",
        "surface_diffuse_downwelling_shortwave_flux_in_air",
        "surface_direct_downwelling_shortwave_flux_in_air",
        "surface_downwelling_longwave_flux_in_air",
        "surface_downwelling_shortwave_flux",
        "surface_downwelling_shortwave_flux_in_air",
        "surface_snow_amount",
        "surface_snow_thickness",
        "surface_upwelling_shortwave_flux_in_air",
        "toa_incoming_shortwave_flux",
        "wind_speed",
        "wind_speed_of_gust",
    }
)
"""CF standard names of what is zero or more."""

_SHORT: Final = {
    **dict.fromkeys(("hurs", "rh", "r2", "rh2m", "relative_humidity"), "relative_humidity"),
    **dict.fromkeys(("clt", "tcc", "cloud_cover"), "cloud_area_fraction"),
    **dict.fromkeys(("siconc", "ci", "sic"), "sea_ice_area_fraction"),
    **dict.fromkeys(("huss", "q2", "sh2"), "specific_humidity"),
    **dict.fromkeys(("rsds", "ssrd", "swdown"), "surface_downwelling_shortwave_flux_in_air"),
    **dict.fromkeys(("rlds", "strd"), "surface_downwelling_longwave_flux_in_air"),
    **dict.fromkeys(("gust", "sfcwindmax", "i10fg"), "wind_speed_of_gust"),
    "cape": "atmosphere_convective_available_potential_energy",
}
"""Names that products give them, where there is no standard name."""

_ROUNDING: Final = 1e-3
"""Values beyond a limit by less than this share of the range of the field are rounding."""


def limits_of(field: xr.DataArray) -> tuple[float | None, float | None]:
    """The least and the largest value that a quantity can have; None where there is no limit.

    Decided by standard name, or the name that real products use. A field in memory whose values pass a limit by more
    than rounding has none: it is not what its name says.

    Parameters
    ----------
    field : DataArray
        Any field.

    Examples
    --------
    >>> import xarray as xr
    >>> limits_of(xr.DataArray([50.0], attrs={"standard_name": "relative_humidity", "units": "%"}))
    (0.0, 100.0)
    >>> limits_of(xr.DataArray([5.0], name="sfcWind")), limits_of(xr.DataArray([280.0], name="tas"))
    ((0.0, None), (None, None))
    """
    subject = str(field.attrs.get("standard_name", "")).lower()
    if subject not in _FRACTIONS | _NOT_NEGATIVE:
        subject = _SHORT.get(str(field.name).lower(), quantity_of(field).subject or "")
    if subject in _FRACTIONS:
        whole = {"%": 100.0, "percent": 100.0, "1": 1.0, "": 1.0}.get(
            str(field.attrs.get("units", "")).strip()
        )
        limits = (0.0, whole)
        return limits if whole is not None and _kept(field, *limits) else (None, None)
    if subject in _NOT_NEGATIVE and _kept(field, 0.0, None):
        return (0.0, None)
    return (None, None)


def _kept(field: xr.DataArray, low: float, high: float | None) -> bool:
    """Whether values in memory lie within limits, but for rounding."""
    if field.chunks is not None or not np.isfinite(field.values).any():
        return True
    least, most = float(np.nanmin(field.values)), float(np.nanmax(field.values))
    slack = _ROUNDING * max(most - least, abs(most))
    return least >= low - slack and (high is None or most <= high + slack)
