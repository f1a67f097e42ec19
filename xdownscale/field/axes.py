"""Which dimension of a field is time, which is y, which is x, and which counts members."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xdownscale.errors import DimensionError
from xdownscale.field.forecasts import lead_dim
from xdownscale.field.labels import holds_times
from xdownscale.field.unstructured import no_grid, unstructured_dims

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    import xarray as xr

_NAMES: dict[str, tuple[str, ...]] = {
    "time": ("time", "t", "valid_time", "date", "datetime", "xtime"),
    "y": (
        "y",
        "lat",
        "latitude",
        "rlat",
        "nlat",
        "south_north",
        "northing",
        "northings",
        "yc",
        "nj",
        "j",
        "row",
    ),
    "x": (
        "x",
        "lon",
        "longitude",
        "rlon",
        "nlon",
        "long",
        "west_east",
        "easting",
        "eastings",
        "xc",
        "ni",
        "i",
        "col",
    ),
    "member": (
        "member",
        "realization",
        "realisation",
        "ensemble",
        "ens",
        "number",
        "ensemble_member",
        "sample",
    ),
}
"""Names that a dimension of each role goes by, most telling first; compared without case."""

_CURVILINEAR = {
    "y": ("lat", "latitude", "xlat", "nav_lat"),
    "x": ("lon", "longitude", "xlong", "nav_lon", "long"),
}
"""Names of two-dimensional coordinates whose dimensions are (y, x)."""

_CF_AXIS = {"time": "T", "y": "Y", "x": "X"}
_CF_COORDINATE = {"time": "time", "y": "latitude", "x": "longitude"}
_CF_MEMBER = "realization"


@dataclass(frozen=True)
class Axes:
    """The names of a field's dimensions by role.

    Attributes
    ----------
    y, x : str
        Space dimensions.
    time : str or None
        Time dimension; None for a field without time.
    member : str or None
        Ensemble dimension; None for a single field.

    Examples
    --------
    >>> Axes(y="lat", x="lon", time="time").spatial
    ('lat', 'lon')
    """

    y: str
    x: str
    time: str | None
    member: str | None = None

    @property
    def spatial(self) -> tuple[str, str]:
        """The dimensions (y, x)."""
        return (self.y, self.x)

    @property
    def ordered(self) -> tuple[str, ...]:
        """The dimensions in the order that kernels want: (time, y, x), or (y, x) without time."""
        return self.spatial if self.time is None else (self.time, *self.spatial)


def find_axes(field: xr.DataArray, *, dims: Mapping[str, str] | None = None, need_time: bool = False) -> Axes:
    """Find the dimensions of a field: explicit names first, then CF attributes, then well-known names.

    Parameters
    ----------
    field : DataArray
        Any field with two space dimensions. Two-dimensional latitude and longitude (a curvilinear grid) name
        the dimensions they lie on; of a forecast with start and lead times, time is the lead.
    dims : mapping, optional
        Names given by the user, by role: any of ``time``, ``y``, ``x``, ``member``.
    need_time : bool
        Whether a field without time is an error.

    Returns
    -------
    Axes

    Raises
    ------
    DimensionError
        If a dimension cannot be found, two roles fall on one dimension, or the grid is unstructured.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> rain = xr.DataArray(np.zeros((2, 3, 4)), dims=("time", "lat", "lon"))
    >>> find_axes(rain)
    Axes(y='lat', x='lon', time='time', member=None)
    """
    found = check_dims(field, dims or {})
    for role in ("time", "y", "x", "member"):
        if role not in found:
            name = next((n for n in _candidates(field, role) if n not in found.values()), None)
            if name is not None:
                found[role] = name
    cells = unstructured_dims(field)
    if cells and (not {"y", "x"} <= found.keys() or cells & {found["y"], found["x"]}):
        raise DimensionError(no_grid(cells))
    missing = [role for role in ("y", "x", *(("time",) if need_time else ())) if role not in found]
    if missing:
        raise DimensionError(_not_found(field, missing, found))
    return Axes(y=found["y"], x=found["x"], time=found.get("time"), member=found.get("member"))


def check_dims(field: xr.DataArray | xr.Dataset, dims: Mapping[str, str]) -> dict[str, str]:
    """The names that the user gave, each checked.

    Parameters
    ----------
    field : DataArray or Dataset
        Which has the dimensions.
    dims : mapping
        Names by role.

    Raises
    ------
    DimensionError
        If a role or a name is not known, two roles have one name, or a dimension has no name.
    """
    check_named(field)
    wrong = [
        _wrong(field, role, name)
        for role, name in dims.items()
        if role not in _NAMES or name not in field.dims
    ]
    if wrong:
        raise DimensionError(" ".join(wrong))
    if len(set(dims.values())) < len(dims):
        msg = f"dims gives one dimension two roles: {dict(dims)}. Pass a different name for each."
        raise DimensionError(msg)
    return dict(dims)


def check_named(field: xr.DataArray | xr.Dataset) -> None:
    """Raise where a dimension has no name, or one that is no text: no label, attribute or option could refer to it.

    Parameters
    ----------
    field : DataArray or Dataset
        Any.
    """
    for dim in field.dims:
        if not isinstance(dim, str) or not dim:
            msg = f'a dimension is called {dim!r}, which is not a name. Give it one: field.rename({{{dim!r}: "time"}}).'
            raise DimensionError(msg)


def _candidates(field: xr.DataArray, role: str) -> Iterator[str]:
    """Dimensions that may have this role, the best founded first."""
    lead = lead_dim(field) if role == "time" else None
    if lead is not None:
        yield lead
    yield from _from_cf(field, role)
    yield from _from_curvilinear(field, role)
    if role == "time":
        yield from (str(dim) for dim in field.dims if dim in field.coords and holds_times(field[dim]))
    lower = {str(dim).lower(): str(dim) for dim in field.dims}
    yield from (lower[name] for name in _NAMES[role] if name in lower)


def _from_cf(field: xr.DataArray, role: str) -> Iterator[str]:
    """Dimensions that CF attributes name: ``axis``, ``standard_name``, ``units``."""
    import cf_xarray  # noqa: F401  registers .cf

    labels = field.coords.to_dataset().cf  # attributes of the field itself are none of its matter
    if role == "member":
        names: list[Hashable] = list(labels.standard_names.get(_CF_MEMBER, []))
    else:
        names = [*labels.axes.get(_CF_AXIS[role], []), *labels.coordinates.get(_CF_COORDINATE[role], [])]
    for name in names:
        if name in field.dims:
            yield str(name)
    for name in names:
        if name in field.coords and field[name].ndim == 1:
            yield str(field[name].dims[0])
        elif name in field.coords and field[name].ndim >= 2 and role in _CURVILINEAR:
            yield _of_pair(field[name], role)


def _from_curvilinear(field: xr.DataArray, role: str) -> Iterator[str]:
    """Dimensions of two-dimensional latitude and longitude that carry no attributes."""
    for name, coordinate in field.coords.items():
        if coordinate.ndim >= 2 and str(name).lower() in _CURVILINEAR.get(role, ()):
            yield _of_pair(coordinate, role)


def _of_pair(coordinate: xr.DataArray, role: str) -> str:
    """Of the last two dimensions of a coordinate the one with this role: by name, else (y, x) in order."""
    for dim in coordinate.dims:
        if str(dim).lower() in _NAMES[role]:
            return str(dim)
    return str(coordinate.dims[-2 if role == "y" else -1])


def _shown(field: xr.DataArray | xr.Dataset) -> tuple[str, ...]:
    """Dimension names for a message."""
    return tuple(str(dim) for dim in field.dims)


def _wrong(field: xr.DataArray | xr.Dataset, role: str, name: str) -> str:
    """Say what is wrong in an entry of `dims`, and what it may be instead."""
    if role not in _NAMES:
        return f'dims has the unknown role {role!r}, not of {tuple(_NAMES)}: pass dims={{"y": "lat"}}.'
    close = difflib.get_close_matches(str(name), [str(d) for d in field.dims], n=1)
    hint = f'Did you mean dims={{"{role}": "{close[0]}"}}?' if close else "Pass one of these."
    return f"dims says that {role} is {name!r}, but there are the dimensions {_shown(field)}. {hint}"


def _not_found(field: xr.DataArray, roles: Sequence[str], found: Mapping[str, str]) -> str:
    """Say what was looked for, what there is, and how to name it."""
    free = [name for name in _shown(field) if name not in found.values()]
    guesses: dict[str, str] = {}
    for role in roles:
        close = difflib.get_close_matches(role, free, n=1, cutoff=0.3)
        if close:
            guesses[role] = close[0]
            free.remove(close[0])
    rest = [role for role in ("x", "y", "time") if role in roles and role not in guesses]
    guesses |= dict(zip(rest, reversed(free), strict=False))  # the usual order is (time, y, x)
    what = f"dimension {roles[0]!r}" if len(roles) == 1 else f"dimensions {' and '.join(map(repr, roles))}"
    msg = f"{what} not found; the field has the dimensions {_shown(field)}."
    lacking = [role for role in roles if role not in guesses]
    if lacking:
        call = f'field.expand_dims("{lacking[0]}")' if len(lacking) == 1 else f"field.expand_dims({lacking})"
        return f"{msg} Add {'one' if len(lacking) == 1 else 'them'}, for example {call}."
    pairs = ", ".join(f'"{role}": "{guesses[role]}"' for role in roles)
    guess = guesses[roles[0]]
    attribute = f' or set field["{guess}"].attrs["axis"] = "{_CF_AXIS[roles[0]]}"'
    return f"{msg} Pass dims={{{pairs}}}{attribute if len(roles) == 1 and guess in field.coords else ''}."
