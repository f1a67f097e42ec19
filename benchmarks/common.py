"""What the benchmarks share: the test events, the machine, the record of a run."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xarray as xr

import xdownscale

TEST_EVENTS = ("20150515", "20160711", "20170131")
"""The three MeteoSwiss events that no training run has seen."""


def event_rain(folder: Path, date: str, *, spatial: int = 10, temporal: int = 3) -> xr.DataArray:
    """One test event, cut at its end to whole blocks."""
    path = folder / f"rain_mch_switzerland_1km_5min_{date}.nc"
    rain = xr.open_dataset(path)["rainfall_rate"].astype("float32")
    rain = rain.isel(
        time=slice(0, rain.sizes["time"] // temporal * temporal),
        y=slice(0, rain.sizes["y"] // spatial * spatial),
        x=slice(0, rain.sizes["x"] // spatial * spatial),
    )
    return rain.load()


def machine() -> str:
    """The machine in words."""
    name = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            name = line.split(":", 1)[1].strip()
    return f"{name}, {os.cpu_count()} cores"


def record(path: Path | None, **content: Any) -> None:
    """Write a JSON record of a run: command, versions, machine, date, and what it found."""
    if path is None:
        return
    document = {
        "command": " ".join(["python", *sys.argv]),
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": {
            "xdownscale-sr": xdownscale.__version__,
            **{name: version(name) for name in ("torch", "numpy", "xarray")},
        },
        **content,
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
