"""What a field's own attributes say of its numbers: fill values, packing, the valid range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xdownscale.errors import ValueRangeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

FILLS: Final = ("_FillValue", "missing_value")
"""Attributes that name the number which stands for "missing"."""

PACKING: Final = ("scale_factor", "add_offset", "_Unsigned")
"""Attributes that say how numbers in a file become values."""

RANGE: Final = ("valid_range", "valid_min", "valid_max")
"""Attributes that bound the values, in the file's numbers or in the values themselves."""

DECLARING: Final = (*FILLS, *PACKING, *RANGE)
"""None of them is true of values that have been computed."""


@dataclass(frozen=True)
class Declared:
    """What the attributes of a field declare.

    Attributes
    ----------
    fills : tuple of (str, number)
        Attributes that name a missing value, and the value.
    low, high : float
        Bounds of the values as they stand; infinite where there are none.
    """

    fills: tuple[tuple[str, Any], ...]
    low: float
    high: float


def declared(field: xr.DataArray) -> Declared:
    """What a field's attributes, and its encoding where that is of unpacked values, declare.

    Parameters
    ----------
    field : DataArray
        Only its type, attributes and encoding are read.

    Examples
    --------
    >>> import xarray as xr
    >>> declared(xr.DataArray([1.0], attrs={"_FillValue": -9.0, "valid_max": 5.0}))
    Declared(fills=(('_FillValue', -9.0),), low=-inf, high=5.0)
    """
    # an encoding with packing tells of the file's numbers, which these values are no more
    encoding = {} if any(name in field.encoding for name in PACKING) else field.encoding
    fills = {
        (name, value): None
        for source in (field.attrs, encoding)
        for name in FILLS
        for value in _numbers(source.get(name))
    }
    low, high = _bounds(field)
    return Declared(tuple(fills), low, high)


def unpacked(field: xr.DataArray, name: str) -> xr.DataArray:
    """The values of a field that holds packed whole numbers, without the attributes that say how they are packed.

    Parameters
    ----------
    field : DataArray
        Lazy fields stay lazy.
    name : str
        What the messages call it.

    Returns
    -------
    DataArray
        In double precision where it was packed; the field itself where no attribute declares anything.

    Raises
    ------
    ValueRangeError
        If floating-point values have attributes of packing, so that they may be packed or not, or if the attributes
        are no numbers.

    Examples
    --------
    >>> import xarray as xr
    >>> counts = xr.DataArray(
    ...     [10, 20], dims="x", attrs={"scale_factor": 0.5, "add_offset": 1.0, "units": "K"}
    ... )
    >>> unpacked(counts, "tas").values, unpacked(counts, "tas").attrs
    (array([ 6., 11.]), {'units': 'K'})
    """
    if not any(key in field.attrs for key in DECLARING):
        return field
    attrs = {key: value for key, value in field.attrs.items() if key not in DECLARING}
    if not is_packed(field):
        return field.drop_attrs(deep=False).assign_attrs(attrs)
    scale, offset = _numbers(field.attrs.get("scale_factor", 1)), _numbers(field.attrs.get("add_offset", 0))
    if field.dtype.kind not in "iu" or "_Unsigned" in field.attrs or len(scale) != 1 or len(offset) != 1:
        raise ValueRangeError(_undecoded(field, name))
    values = field.data.astype(np.float64) * float(scale[0]) + float(offset[0])
    result = field.copy(data=values).drop_attrs(deep=False).assign_attrs(attrs)
    result.encoding = {key: value for key, value in field.encoding.items() if key not in DECLARING}
    return result


def is_packed(field: xr.DataArray) -> bool:
    """Whether attributes that were left undecoded say that the values are not what the numbers are.

    Examples
    --------
    >>> import xarray as xr
    >>> is_packed(xr.DataArray(3, attrs={"scale_factor": 1.0, "add_offset": 0.0}))
    False
    """
    said = field.attrs
    # 1 and 0 is what GDAL writes beside values that were never packed
    moved = _numbers(said.get("scale_factor", 1)) != (1,) or _numbers(said.get("add_offset", 0)) != (0,)
    return moved or (field.dtype.kind == "i" and str(said.get("_Unsigned")).lower() == "true")


def decoding(name: str) -> str:
    """The call that decodes a field whose attributes were left as they are in the file."""
    return f'xarray.decode_cf({name}.to_dataset(name="field"))["field"]'


def _undecoded(field: xr.DataArray, name: str) -> str:
    """Say that nothing tells whether values are still packed, and the two ways out."""
    said = ", ".join(f"{key}={field.attrs[key]!r}" for key in PACKING if key in field.attrs)
    return (
        f"{name} holds {field.dtype} values beside the attributes {said} of packed ones. If the values are still "
        "packed, "
        f"decode them: {decoding(name)}. If they are not, state it: "
        f'{name}.assign_attrs(scale_factor=1, add_offset=0, _Unsigned="false").'
    )


def _bounds(field: xr.DataArray) -> tuple[float, float]:
    """Lowest and highest valid value, where the attributes are of the same kind of number as the values."""
    said = field.attrs
    pair = _of_values(field, said, "valid_range")
    low, high = pair if len(pair) == 2 else (-np.inf, np.inf)
    lowest, highest = (_of_values(field, said, key) for key in ("valid_min", "valid_max"))
    return max([float(low), *map(float, lowest)]), min([float(high), *map(float, highest)])


def _of_values(field: xr.DataArray, said: Mapping[str, Any], key: str) -> tuple[Any, ...]:
    """Numbers of an attribute that bounds values; none where it bounds what they were packed in, by their kind."""
    numbers = _numbers(said.get(key))
    kinds = {"f" if isinstance(number, float) else "i" for number in numbers}
    return numbers if kinds == {"f" if field.dtype.kind == "f" else "i"} else ()


def _numbers(said: Any) -> tuple[Any, ...]:
    """The numbers of an attribute, without NaN; none where it holds anything else."""
    values = np.asarray([] if said is None else said).ravel()
    if values.dtype.kind not in "iuf":
        return ()
    return tuple(value for value in values.tolist() if value == value)  # noqa: PLR0124  NaN differs from itself
