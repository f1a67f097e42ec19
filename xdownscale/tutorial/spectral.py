"""What the simulators share: checked arguments, white noise in wave space, CF coordinates of a projected grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xdownscale.errors import EmptyFieldError, ValueRangeError


def check_request(shape: tuple[int, ...], step: str, spacing: float, *, call: str) -> float:
    """The length of a time step in seconds, once shape, step and cell size have been checked.

    Parameters
    ----------
    shape : tuple of int
        Steps, rows and columns.
    step : str
        Time step, as pandas writes it.
    spacing : float
        Cell size in metres.
    call : str
        A call that works, for the message about an empty shape.

    Raises
    ------
    EmptyFieldError
        If a size is below one.
    ValueRangeError
        If the time step or the cell size is not positive.

    Examples
    --------
    >>> check_request((1, 4, 4), "5min", 1000.0, call="rain((36, 240, 240))")
    300.0
    """
    if min(shape) < 1:
        msg = f"shape={shape} has no cells. Pass at least one step, row and column: {call}."
        raise EmptyFieldError(msg)
    if not spacing > 0:
        msg = f"spacing is a length in metres above zero, got {spacing!r}. Pass for example spacing=1000.0."
        raise ValueRangeError(msg)
    try:
        first, second = xr.date_range("2000-01-01", periods=2, freq=step).values
    except ValueError as error:
        msg = f'step={step!r} is not a length of time. Pass for example step="5min".'
        raise ValueRangeError(msg) from error
    seconds = float((second - first) / np.timedelta64(1, "s"))
    if not seconds > 0:
        msg = f'step={step!r} is not longer than zero. Pass for example step="5min".'
        raise ValueRangeError(msg)
    return seconds


def white_noise(size: int, chance: np.random.Generator) -> np.ndarray:
    """The half-plane Fourier transform (``rfft2``) of white noise on size × size cells.

    Parameters
    ----------
    size : int
        Cells along a side.
    chance : numpy.random.Generator
        Where it comes from.
    """
    white: np.ndarray = np.fft.rfft2(chance.standard_normal((size, size), np.float32))
    return white.astype(np.complex64, copy=False)


def grid_coords(shape: tuple[int, ...], seconds: float, spacing: float) -> dict[str, Any]:
    """CF coordinates of (time, y, x) on a projected grid; a time label is the start of its step.

    Parameters
    ----------
    shape : tuple of int
        Steps, rows and columns.
    seconds : float
        Length of a step.
    spacing : float
        Cell size in metres.
    """
    steps, rows, columns = shape
    offsets = (np.arange(steps) * seconds * 1e9).astype("timedelta64[ns]")
    begin = np.datetime64("2020-07-01T12:00", "ns")
    return {
        "time": ("time", begin + offsets, {"standard_name": "time", "axis": "T"}),
        "y": ("y", (np.arange(rows) + 0.5) * spacing, _projected("y")),
        "x": ("x", (np.arange(columns) + 0.5) * spacing, _projected("x")),
    }


def _projected(axis: str) -> dict[str, str]:
    """Attributes of a coordinate in metres."""
    return {"standard_name": f"projection_{axis}_coordinate", "units": "m", "axis": axis.upper()}
