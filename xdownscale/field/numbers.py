"""Which arrays and types a field may hold its values in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xdownscale.errors import ValueRangeError

if TYPE_CHECKING:
    import xarray as xr


def check_numbers(field: xr.DataArray, called: str = "field") -> None:
    """Raise where a field holds anything but real numbers in an array of numpy, or of dask with such blocks.

    Parameters
    ----------
    field : DataArray
        Any; nothing is computed.
    called : str
        What the messages call it.

    Raises
    ------
    ValueRangeError
        With the call that makes numbers of it.

    Examples
    --------
    >>> import xarray as xr
    >>> check_numbers(xr.DataArray([1.5, 2.0], dims="x"))
    """
    array = field.data
    if type(array).__module__.startswith("dask."):
        array = array._meta  # noqa: SLF001  what its blocks are made of
    module = type(array).__module__.partition(".")[0]
    if module == "pint":
        msg = (
            f"{called} is a quantity of pint, and units are read from attributes here. Use {called}.pint.dequantify(), "
            f"or {called}.copy(data={called}.data.magnitude).assign_attrs(units=f'{{{called}.data.units:~C}}')."
        )
        raise ValueRangeError(msg)
    if not isinstance(array, np.ndarray):
        msg = (
            f"{called} holds its values in {type(array).__qualname__} of {module}; numpy and dask arrays are "
            f"accepted. Use {called}.as_numpy()."
        )
        raise ValueRangeError(msg)
    if field.dtype.kind not in "fiub":
        raise ValueRangeError(_no_numbers(field.dtype, called))


def _no_numbers(dtype: np.dtype[Any], called: str) -> str:
    """Say how values of this type become numbers."""
    told = f"{called} holds {dtype} values, not real numbers."
    if dtype.kind == "m":
        return f'{told} Choose a unit: {called} / numpy.timedelta64(1, "s").'
    if dtype.kind == "M":
        return f'{told} Count from a time: ({called} - numpy.datetime64("2000-01-01")) / numpy.timedelta64(1, "s").'
    if dtype.kind == "c":
        return f"{told} Use {called}.real, {called}.imag or abs({called})."
    return f"{told} If they are numbers stored as text or objects: {called}.astype(float)."
