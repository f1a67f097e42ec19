"""What is installed here, for a report of a fault."""

from __future__ import annotations

import importlib
import platform
import sys
from importlib import metadata
from typing import Final, TextIO

PACKAGES: Final = (
    "xdownscale-sr",
    "numpy",
    "xarray",
    "dask",
    "cf-xarray",
    "scipy",
    "netCDF4",
    "pooch",
    "einops",
    "torch",
    "safetensors",
    "accelerate",
    "xskillscore",
    "zarr",
    "matplotlib",
    "distributed",
)


def show_versions(file: TextIO | None = None) -> None:
    """Print the versions of Python, the machine, and every package that matters here.

    Parameters
    ----------
    file : text stream, optional
        Where to; standard output by default.

    See Also
    --------
    xdownscale.zoo.list : Names of all pretrained models.

    Examples
    --------
    >>> import xdownscale
    >>> xdownscale.show_versions()  # doctest: +ELLIPSIS
    python...
    """
    lines = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    lines |= {name: _version(name) for name in PACKAGES}
    lines["devices"] = _devices()
    width = max(map(len, lines))
    (file or sys.stdout).write("".join(f"{name:<{width}}  {value}\n" for name, value in lines.items()))


def _version(name: str) -> str:
    """Installed version of a distribution."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _devices() -> str:
    """What torch can compute on."""
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return "n/a"
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return ", ".join(["cpu", *(torch.cuda.get_device_name(index) for index in range(count))])
