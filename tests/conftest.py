"""Fixtures that several tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr

_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Real radar fields beside the checkout; they are never part of it."""


@pytest.fixture
def data_folder():
    """Folder of real fields; tests that need it are skipped where it is missing."""
    if not _DATA.is_dir():
        pytest.skip("real radar fields are not beside this checkout (../shared/data)")
    return _DATA


@pytest.fixture
def open_field(data_folder):
    """Function that opens a real field by file name, without its extension."""
    opened = []

    def open_(name, variable="rainfall_rate"):
        path = data_folder / f"{name}.nc"
        if not path.exists():
            pytest.skip(f"{path.name} is not in ../shared/data")
        opened.append(xr.open_dataset(path))
        return opened[-1][variable]

    yield open_
    for dataset in opened:
        dataset.close()
