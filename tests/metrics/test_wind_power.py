"""Wind power: the curve at its corners, the cube in between, the power law of height, units and errors."""

import numpy as np
import pytest
import xarray as xr

from xdownscale.errors import UnitsError, ValueRangeError
from xdownscale.metrics import wind_power


def speed(*values, units="m s-1"):
    return xr.DataArray(np.array(values, float), dims="time", attrs={"units": units})


def test_the_curve_starts_rises_with_the_cube_is_flat_and_stops():
    found = wind_power(speed(2.9, 3.0, 8.0, 12.0, 24.9, 25.1), height=100)
    wanted = [0, 0, (8**3 - 27) / (12**3 - 27), 1, 1, 0]
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    assert found.attrs["units"] == "1"


def test_speed_at_the_hub_follows_the_power_law():
    low = speed(4.0, 6.0)
    high = low * 10 ** (1 / 7)
    xr.testing.assert_allclose(wind_power(low), wind_power(high.assign_attrs(units="m s-1"), height=100))


def test_a_curve_of_a_turbine_is_linear_between_its_points():
    found = wind_power(speed(2.0, 5.0, 30.0), height=100, curve={10: 1.0, 0: 0.0, 20: 1.0})
    np.testing.assert_allclose(found, [0.2, 0.5, 0.0])


def test_missing_stays_missing_and_lazy_stays_lazy():
    field = speed(np.nan, 20.0)
    assert np.isnan(wind_power(field)[0])
    lazy = wind_power(field.chunk(time=1))
    assert lazy.chunks is not None
    xr.testing.assert_identical(lazy.compute(), wind_power(field))


def test_other_units_of_speed_convert():
    pytest.importorskip("pint")
    xr.testing.assert_allclose(wind_power(speed(36.0, units="km h-1")), wind_power(speed(10.0)))


@pytest.mark.parametrize(
    ("error", "field", "options"),
    [
        (UnitsError, speed(1.0).drop_attrs(), {}),
        (UnitsError, speed(1.0, units="K"), {}),
        (ValueRangeError, speed(1.0), {"hub": 0}),
        (ValueRangeError, speed(1.0), {"rated": 30}),
        (ValueRangeError, speed(1.0), {"curve": {3: 1.0}}),
    ],
)
def test_what_makes_no_power_is_refused(error, field, options):
    with pytest.raises(error):
        wind_power(field, **options)
