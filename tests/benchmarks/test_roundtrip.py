"""The round trip counts cells that do not come back."""

import numpy as np
import pytest
import xarray as xr
from roundtrip import lost, main, of_file

from tests.support import globe, rain
from xdownscale.field.axes import find_axes


@pytest.mark.slow
def test_every_variable_of_every_file_is_counted(tmp_path, capsys):
    xr.Dataset({"a": rain((6, 12, 12)), "b": rain((6, 12, 12))}).to_netcdf(tmp_path / "radar.nc")
    globe((12, 24)).to_netcdf(tmp_path / "globe.nc")
    variables, joins, cells = of_file(tmp_path / "radar.nc")
    assert (variables, cells) == (2, 0)
    assert joins > 20
    assert main(str(tmp_path)) == 0
    assert "globe.nc" in capsys.readouterr().out


def test_a_cell_that_does_not_come_back_is_counted(monkeypatch):
    import xdownscale

    field = rain((6, 12, 12))
    real = xdownscale.interpolate

    def shifted(coarse, *args, **options):
        fine = real(coarse, *args, **options)
        return fine.assign_coords(x=np.nextafter(fine.x, np.inf))

    monkeypatch.setattr(xdownscale, "interpolate", shifted)
    assert lost(field, find_axes(field), (2, 1)) >= 6 * 12
