from __future__ import annotations

import xarray as xr

from xdownscale.scoring.table import scores_table


def test_intervals_stand_beside_their_score():
    scores = xr.Dataset(
        {
            "mae": ("model", [0.25, 0.5]),
            "mae_low": ("model", [0.2, 0.4]),
            "mae_high": ("model", [0.3, 0.6]),
            "river_low": ("model", [1.0, 2.0]),
        },
        coords={"model": ["net", "bicubic"]},
    )
    lines = scores_table(scores).splitlines()
    assert lines[1].split("  ")[-2:] == ["0.25 (0.2 … 0.3)", "0.5 (0.4 … 0.6)"]
    assert [line.split()[0] for line in lines] == ["score", "mae", "river_low"]
    assert len({len(line) for line in lines}) == 1
