r"""Scores of the weights for every pair of factors and every scale, beside interpolations and RainFARM.

    python benchmarks/general.py ../shared/data --model rain --part radar --json general.json
    python benchmarks/general.py ../shared/data --model rain --part climate
    python benchmarks/general.py ../shared/data --model rain --part validation
    python benchmarks/general.py ../shared/data --model rain --part composition
    python benchmarks/general.py ../shared/data --model rain --part pictures --out pictures

*radar*: ten pairs at 1 km and 5 minutes on the three MeteoSwiss events, which no run has seen: 36 steps of a square of
100 × 100 km around the middle. *validation*: the same on the wettest three hours of two days of the German amounts and
on a Finnish event, which were held out of training. *climate*: block means of the German days, and hourly rain of the
French weather model AROME. *composition*: (25, 6) in one call against (5, 2) then (5, 3). *pictures*: six members
beside the truth at 1 km and 5 minutes, 4 km and an hour, and 8 km and an hour.

Intervals of 95 % are bootstrapped over coarse steps. "axes" is power along the axes over that along diagonals at waves
of 2 to 4 cells, "coherence" that of the structure tensor, "lag" correlation with the step before and "moving lag" that
after taking motion off; of members over that of the truth, except for axes and coherence, where both are given.
"""

from __future__ import annotations

import argparse
import dataclasses
import warnings
from collections.abc import Iterator
from pathlib import Path

import common
import make_general
import make_weights
import numpy as np
import rain
import torch
import xarray as xr

import xdownscale
from xdownscale import metrics
from xdownscale.baselines.rainfarm import rainfarm

PAIRS = [(1, 3), (10, 1), (10, 3), (25, 6), (4, 1), (5, 2), (8, 1), (2, 1), (7, 2), (16, 4)]
"""Factors in space and time at 1 km and 5 minutes."""

CLIMATE = [(4, 60, 5, 3), (4, 60, 10, 1), (4, 60, 5, 6), (8, 60, 4, 3), (1, 60, 10, 3)]
"""Kilometres, minutes, and factors in space and time of the climate scales."""

SLOPES = (2.5, 1.5)
"""Of spectra in space and time, for RainFARM where a coarse field is too small to estimate them."""

STEPS, SIDE, DRAWS = 36, 100, 2000


@dataclasses.dataclass(frozen=True)
class Case:
    """A truth, and what it is to be made from."""

    name: str
    truth: xr.DataArray
    spatial: int
    temporal: int
    style: str | None = None


def whole(field: xr.DataArray, spatial: int, temporal: int) -> xr.DataArray:
    """Cut to whole blocks."""
    steps, rows, columns = (
        size // block * block for size, block in zip(field.shape, (temporal, spatial, spatial), strict=True)
    )
    return field[:steps, :rows, :columns]


def wettest(field: xr.DataArray, steps: int) -> xr.DataArray:
    """The stretch of so many steps with most rain."""
    amount = field.fillna(0).mean(field.dims[1:]).rolling(time=steps).sum().fillna(0)
    last = max(int(amount.values.argmax()), steps - 1)
    return field[last - steps + 1 : last + 1]


def middle(field: xr.DataArray, size: int) -> xr.DataArray:
    """The square without gaps that lies nearest to the middle."""
    named = field.rename(dict(zip(field.dims[1:], ("y", "x"), strict=True)))
    return rain.covered(named, size)


def clear(field: xr.DataArray) -> xr.DataArray:
    """The rectangle that is left when rows and columns at the border with most gaps are taken off one by one."""
    missing = np.isnan(field.values).any(0)
    top, bottom, left, right = 0, missing.shape[0], 0, missing.shape[1]
    while (inner := missing[top:bottom, left:right]).any():
        shares = [inner[0].mean(), inner[-1].mean(), inner[:, 0].mean(), inner[:, -1].mean()]
        worst = int(np.argmax(shares))
        top, bottom = top + (worst == 0), bottom - (worst == 1)
        left, right = left + (worst == 2), right - (worst == 3)
    return field[:, top:bottom, left:right]


def days(folder: Path) -> dict[str, xr.DataArray]:
    """The German days that were held out."""
    field = make_weights.rain_of(folder / make_general.GERMANY)
    label = field.time.dt.strftime("%Y-%m-%d").values
    return {day: field[label == day] for day in make_general.HELD_OUT_DAYS}


def radar(folder: Path) -> Iterator[Case]:
    """MeteoSwiss at its own scale."""
    for event in common.TEST_EVENTS:
        field = rain.covered(common.event_rain(folder, event, spatial=1, temporal=1), SIDE)[:STEPS]
        for spatial, temporal in PAIRS:
            yield Case(event, whole(field, spatial, temporal), spatial, temporal)


def validation(folder: Path) -> Iterator[Case]:
    """Days and events that were held out of training, with the style of their product."""
    fields = [(day, wettest(field, STEPS), "dwd") for day, field in days(folder).items()]
    fields.append(
        ("fmi", make_weights.rain_of(folder / "rain_fmi_finland_1km_5min_20170509.nc")[:STEPS], "fmi")
    )
    for name, field, style in fields:
        square = middle(field, SIDE).load()
        for spatial, temporal in PAIRS:
            yield Case(name, whole(square, spatial, temporal), spatial, temporal, style)


def climate(folder: Path) -> Iterator[Case]:
    """Hourly block means of the German days, and a weather model."""
    for day, whole_day in days(folder).items():
        field = clear(whole_day)
        for km, minutes, spatial, temporal in CLIMATE:
            truth = whole(field, km, minutes // 5).sr.coarsen(km, minutes // 5)
            yield Case(f"{day} {km} km", whole(truth, spatial, temporal), spatial, temporal, "dwd")
    arome = xr.open_dataset(folder / "multivar_arome_france_nw_0p025deg_1h_20180501.nc")["pr"][1:]
    for spatial, temporal in ((5, 3), (10, 1), (5, 6)):
        yield Case(
            "arome 2.4 km", whole(arome.astype("float32").load(), spatial, temporal), spatial, temporal
        )


def baselines(coarse: xr.DataArray, case: Case, members: int) -> dict[str, xr.DataArray]:
    """Interpolations, held over the steps or linear in time, and RainFARM."""
    own = {"spatial": case.spatial, "temporal": case.temporal}
    found = {name: coarse.sr.interpolate(method=name, **own) for name in ("nearest", "bicubic", "linear")}
    if case.spatial > 1:
        slopes = None if min(coarse.shape) >= 8 else SLOPES
        found["RainFARM"] = rainfarm(coarse, case.spatial, case.temporal, members=members, slopes=slopes)
    return found


def crps(truth: xr.DataArray, forecast: xr.DataArray, temporal: int) -> np.ndarray:
    """Fair CRPS, or the absolute error of a single field, of every coarse step."""
    space = list(truth.dims[1:])
    if "member" in forecast.dims:
        each = metrics.crps_ensemble(truth, forecast, dim=space)
    else:
        each = abs(forecast - truth.values).mean(space)
    return each.values.reshape(-1, temporal).mean(1)


def against(score: np.ndarray, other: np.ndarray) -> tuple[float, float, float]:
    """Ratio of two mean scores, with its interval."""
    random = np.random.default_rng(0)
    chosen = random.integers(0, len(score), (DRAWS, len(score)))
    low, high = np.percentile(score[chosen].mean(1) / other[chosen].mean(1), [2.5, 97.5])
    return float(score.mean() / other.mean()), float(low), float(high)


def power(truth: xr.DataArray, ensemble: xr.DataArray) -> float:
    """Power of members over that of the truth at waves of 2 to 10 cells, dB."""
    wanted, found = (metrics.power_spectrum(field, window="hann") for field in (truth, ensemble))
    number = wanted["wavenumber"]
    at = number >= float(number.max()) / 5 / np.sqrt(2)
    return 10 * float(np.log10(float(found.where(at).mean() / wanted.where(at).mean())))


def score(case: Case, model: xdownscale.Downscaler, members: int) -> dict[str, object]:
    """All that a table says of a case."""
    truth = case.truth
    coarse = truth.sr.coarsen(case.spatial, case.temporal)
    factors = {} if isinstance(model.factors, xdownscale.field.factors.Factors) else {
        "spatial": case.spatial, "temporal": case.temporal,
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        ensemble = coarse.sr.downscale(model, members=members, style=case.style, **factors)
    own = crps(truth, ensemble, case.temporal)
    others = {
        name: crps(truth, field, case.temporal) for name, field in baselines(coarse, case, members).items()
    }
    blocks = (
        [
            field.coarsen(dict.fromkeys(truth.dims[1:], 10), boundary="trim").mean()
            for field in (truth, ensemble)
        ]
        if min(truth.shape[1:]) >= 20
        else None
    )
    again = ensemble.astype("float64").sr.coarsen(case.spatial, case.temporal)
    return {
        "crps": float(own.mean()),
        "over": {name: against(own, other) for name, other in others.items()},
        "over MAE of the median": float(own.mean() / abs(ensemble.median("member") - truth.values).mean()),
        "spread/skill": float(metrics.spread_skill_ratio(truth, ensemble)),
        "of 10 cells": float(metrics.spread_skill_ratio(*blocks)) if blocks else float("nan"),
        "power": power(truth, ensemble),
        "axes": (rain.axes(truth), rain.axes(ensemble)),
        "coherence": (rain.coherence(truth), rain.coherence(ensemble)),
        "lag": float(metrics.lag_autocorrelation(ensemble) / metrics.lag_autocorrelation(truth)),
        "moving lag": rain.moving_lag(ensemble[:2]) / rain.moving_lag(truth),
        "p99.9": float(np.percentile(ensemble, 99.9) / np.percentile(truth, 99.9)),
        "block mean": float((abs(again - coarse) / coarse.where(coarse > 0)).max()),
        "smallest": float(ensemble.min()),
    }


def line(name: str, factors: tuple[int, int], row: dict) -> str:
    """A row of the table."""
    over = [row["over"].get(other) for other in ("bicubic", "linear", "RainFARM")]
    cells = [
        name,
        f"({factors[0]:2d}, {factors[1]})",
        *("–" if v is None else f"{v[0]:.3f} ({v[1]:.2f} … {v[2]:.2f})" for v in over),
        f"{row['over MAE of the median']:.2f}",
        f"{row['spread/skill']:.2f} / {row['of 10 cells']:.2f}",
        f"{row['power']:+.1f}",
        *(f"{row[key][0]:.2f} / {row[key][1]:.2f}" for key in ("axes", "coherence")),
        *(f"{row[key]:.2f}" for key in ("lag", "moving lag", "p99.9")),
    ]
    return f"| {' | '.join(cells)} |"


HEAD = (
    "| field | factors | CRPS over bicubic | over linear | over RainFARM | /MAE of the median | S/S 1 / 10 cells | "
    "power, dB | axes | coherence | lag-1 | moving lag | p99.9 |\n|" + 13 * "---|"
)


def composition(folder: Path, model: xdownscale.Downscaler, members: int) -> None:
    """(25, 6) in one call, and by way of (5, 2) then (5, 3)."""
    for event in common.TEST_EVENTS:
        truth = rain.covered(common.event_rain(folder, event, spatial=1, temporal=1), SIDE)[:STEPS]
        coarse = truth.sr.coarsen(25, 6)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            once = coarse.sr.downscale(model, spatial=25, temporal=6, members=members)
            half = coarse.sr.downscale(model, spatial=5, temporal=2, members=members)
            twice = half.sr.downscale(model, spatial=5, temporal=3, members=1)
        for name, ensemble in (("once", once), ("twice", twice)):
            print(
                f"{event} {name:6s} CRPS {float(metrics.crps_ensemble(truth, ensemble)):.4f}  spread/skill "
                f"{float(metrics.spread_skill_ratio(truth, ensemble)):.2f}  power {power(truth, ensemble):+.1f} dB",
                flush=True,
            )


def pictures(folder: Path, model: xdownscale.Downscaler, members: int, out: Path) -> None:
    """Members at a step of three scales, as files."""
    day = clear(days(folder)[make_general.HELD_OUT_DAYS[1]])
    out.mkdir(parents=True, exist_ok=True)
    for km, minutes, spatial, temporal in ((1, 5, 10, 3), (4, 60, 5, 3), (8, 60, 4, 3)):
        truth = whole(day, km, minutes // 5)
        truth = truth.sr.coarsen(km, minutes // 5) if km > 1 else middle(wettest(truth, STEPS), SIDE).load()
        truth = whole(truth, spatial, temporal)
        ensemble = truth.sr.coarsen(spatial, temporal).sr.downscale(
            model, spatial=spatial, temporal=temporal, members=members, style="dwd", progress=False
        )
        step = int(np.argmax(truth.mean(truth.dims[1:]).values))
        xdownscale.plot.stamps(ensemble, truth, step=step, path=out / f"{km}km_{minutes}min.png")


def main() -> None:
    """Score, print, record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="rain")
    parts = ["radar", "validation", "climate", "composition", "pictures"]
    parser.add_argument("--part", choices=parts, default="radar")
    parser.add_argument("--out", type=Path, default=Path("pictures"), help="folder of pictures")
    parser.add_argument("--members", type=int, default=6)
    parser.add_argument("--factors", type=int, nargs=2, action="append", help="only these, space and time")
    parser.add_argument("--default-style", action="store_true", help="not the style of the product")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    model = (xdownscale.load if Path(options.model).exists() else xdownscale.zoo.load)(options.model)
    if options.part == "pictures":
        pictures(options.folder, model, options.members, options.out)
        return
    if options.part == "composition":
        composition(options.folder, model, options.members)
        return
    cases = {"radar": radar, "validation": validation, "climate": climate}[options.part](options.folder)
    rows = []
    print(HEAD)
    for case in cases:
        if options.factors and [case.spatial, case.temporal] not in options.factors:
            continue
        chosen = dataclasses.replace(case, style=None) if options.default_style else case
        row = score(chosen, model, options.members)
        rows.append({"field": case.name, "factors": [case.spatial, case.temporal], **row})
        print(line(case.name, (case.spatial, case.temporal), row), flush=True)
    common.record(options.json, rows=rows, model=str(options.model), sha256=model.sha256)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
