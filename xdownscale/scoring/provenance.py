"""What fields and options say of themselves, for those who read the result later."""

from __future__ import annotations

import json
import re
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
    asked = {key: _in_words(value) for key, value in options.items() if value is not None}
    return {
        "evaluation": json.dumps(asked),
        "forecasts": json.dumps({name or "forecast": _of(model) for name, model in models.items()}),
        "observations": json.dumps(_of(observations)),
    }


def _of(field: xr.DataArray) -> dict[str, str]:
    """What a field says of itself.

    A field that the package made has the attributes of what it was made from: a baseline that was interpolated from the
    observations is no observation, so these come as "made from", behind the call that made it.
    """
    told = {"sizes": ", ".join(f"{dim}: {size}" for dim, size in field.sizes.items())}
    told |= {key: str(field.attrs[key]) for key in ("long_name", "units") if key in field.attrs}
    told |= {str(key): str(v) for key, v in field.attrs.items() if str(key).startswith("xdownscale_")}
    source = {key: str(field.attrs[key]) for key in ("title", "source", "institution") if key in field.attrs}
    newest = str(field.attrs.get("history", "")).partition("\n")[0]
    made = re.fullmatch(r"\S+: (.+ \(xdownscale \S+\))", newest)
    if made is None:
        return told | source
    return told | {"made by": made[1]} | {f"made from: {key}": value for key, value in source.items()}


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
        named = getattr(
            option, "func", option
        )  # of functools.partial, whose words would be those of a whole field
        return getattr(named, "__name__", type(named).__name__)
    return [_in_words(each) for each in option] if isinstance(option, Iterable) else str(option)
