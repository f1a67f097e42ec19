"""Seeds of entries: by label, whatever lies beside them."""

from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

from xdownscale.field.entries import APART, entry_seeds


def along(labels, dim="driver"):
    return xr.DataArray(np.zeros(len(labels)), dims=dim, coords={dim: labels})


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "b", "c"],
        [850, 500, 250],
        [0.1, 0.2, 0.5],
        np.array(["2001-01-01", "2001-01-02", "2001-01-03"], "datetime64[ns]"),
        xr.date_range("2001-02-28", periods=3, calendar="360_day", use_cftime=True),
    ],
)
def test_an_entry_has_the_same_seed_alone_and_in_any_order(labels):
    field = along(labels)
    seeds = entry_seeds(field, "driver", 3)
    assert len(set(seeds)) == 3
    assert [entry_seeds(field.isel(driver=[i]), "driver", 3)[0] for i in range(3)] == seeds
    assert entry_seeds(field[::-1], "driver", 3) == seeds[::-1]


def test_labels_are_the_same_whatever_their_type():
    assert entry_seeds(along([850, 500]), "driver", 0) == entry_seeds(along([850.0, 500.0]), "driver", 0)
    days = np.array(["2001-01-01"], "datetime64[s]")
    assert entry_seeds(along(days), "driver", 0) == entry_seeds(
        along(days.astype("datetime64[ns]")), "driver", 0
    )


def test_dimensions_and_equal_labels_are_told_apart():
    assert entry_seeds(along([1], "level"), "level", 0) != entry_seeds(along([1]), "driver", 0)
    twice = entry_seeds(along(["a", "a"]), "driver", 0)
    assert twice[0] != twice[1]
    assert twice[0] == entry_seeds(along(["a"]), "driver", 0)[0]


def test_without_labels_the_position_counts_and_the_first_has_the_seed_itself():
    seeds = entry_seeds(xr.DataArray(np.zeros(3), dims="driver"), "driver", -5)
    assert seeds[0] == -5
    assert [second - first for first, second in pairwise(seeds)] == [APART, APART]


def test_another_seed_moves_all():
    first, other = (entry_seeds(along(["a", "b"]), "driver", seed) for seed in (0, 1))
    assert not set(first) & set(other)
