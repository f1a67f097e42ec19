"""What fields and options say of themselves, for those who read the result later."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr


def origin(
    models: Mapping[str, xr.DataArray], observations: xr.DataArray, options: Mapping[str, Any]
) -> dict[str, str]:
    """Where scores come from, as attributes: what was asked for, and what the fields say of themselves, in JSON.

    Examples
    --------
    >>> field = xr.DataArray([1.0], dims="x", attrs={"units": "K"})
    >>> origin({"net": field}, field, {"bootstrap": 100, "by": None})["evaluation"]
    '{"bootstrap": 100}'
    """
    told = ("title", "source", "institution", "long_name", "units")

    def of(field: xr.DataArray) -> dict[str, str]:
        sizes = ", ".join(f"{dim}: {size}" for dim, size in field.sizes.items())
        said = {
            key: str(v) for key, v in field.attrs.items() if key in told or str(key).startswith("xdownscale_")
        }
        return {"sizes": sizes, **said}

    asked = {key: _in_words(value) for key, value in options.items() if value is not None}
    return {
        "evaluation": json.dumps(asked),
        "forecasts": json.dumps({name or "forecast": of(model) for name, model in models.items()}),
        "observations": json.dumps(of(observations)),
    }


def _in_words(option: Any) -> Any:
    """An option as JSON can hold it: fields and functions by name."""
    if isinstance(option, xr.DataArray):
        return f"field {option.name!r} along {', '.join(map(str, option.dims))}"
    if isinstance(option, Mapping):
        return {str(key): _in_words(value) for key, value in option.items()}
    if isinstance(option, np.ndarray | np.generic):
        return option.tolist()
    if isinstance(option, str | int | float):
        return option
    if callable(option):
        return getattr(option, "__name__", str(option))
    return [_in_words(each) for each in option] if isinstance(option, Iterable) else str(option)
