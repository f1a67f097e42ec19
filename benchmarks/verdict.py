"""The verdict on ensembles of rain: the whole table, means over events, the bound that no table may break, pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rain
import xarray as xr

from xdownscale import metrics
from xdownscale.diffusion.sample import SAMPLERS

SCALES = (1, 4, 10, 20)
"""Sides of the blocks whose CRPS is taken, km."""

THRESHOLDS = (0.1, 1.0, 5.0, 15.0)
"""mm/h"""


def judge(truth: xr.DataArray, coarse: xr.DataArray, ensemble: xr.DataArray) -> dict[str, float]:
    """The whole table of an ensemble; ratios are members over truth."""
    pooled = metrics.crps_pooled(truth, ensemble, scales=SCALES)
    rows = {f"CRPS, blocks of {n} km": float(value) for n, value in zip(SCALES, pooled, strict=True)}
    rows["MAE of the median"] = float(abs(ensemble.median("member") - truth).mean())
    rows["energy score"] = float(metrics.energy_score(truth, ensemble))
    rows["variogram score"] = float(metrics.variogram_score(truth, ensemble))
    rows["rank deviation"] = float(metrics.pit_deviation(truth, ensemble))
    rows["rank deviation of members"] = rank_floor(ensemble)
    rows["spread/skill"] = float(metrics.spread_skill_ratio(truth, ensemble))
    rows |= rain.spread_of_blocks(truth, ensemble, SCALES[1:])
    rows["LSD, dB"] = float(metrics.lsd(truth, ensemble))
    rows |= rain.power(truth, ensemble)
    for at in (1.0, 5.0):
        rows[f"FSS of 5 km at {at:g} mm/h"] = float(metrics.fss(truth, ensemble, thresholds=at, scales=5))
    wanted, found = (texture(field) for field in (truth, ensemble))
    rows |= {f"{name}: ratio": ratio(found[name], wanted[name]) for name in wanted}
    rows |= {f"{name}: truth": value for name, value in wanted.items()}
    again = ensemble.astype("float64").sr.coarsen(spatial=10, temporal=3)
    rows["largest error of a block mean"] = float((abs(again - coarse) / coarse.where(coarse > 0)).max())
    return rows


def rank_floor(ensemble: xr.DataArray, tries: int = 3) -> float:
    """Rank deviation of a member among the others: what chance leaves where neighbours are as alike as here."""
    count = ensemble.sizes["member"]
    if count < 3:
        return float("nan")
    found = [
        metrics.pit_deviation(
            ensemble.isel(member=m, drop=True), ensemble.isel(member=[k for k in range(count) if k != m])
        )
        for m in range(min(tries, count))
    ]
    return float(np.mean(found))


def texture(field: xr.DataArray) -> dict[str, float]:
    """What fields are like, each by itself."""
    rows = {f"lag-{steps}": float(metrics.lag_autocorrelation(field, lag=steps)) for steps in (1, 2)}
    rows["wet fraction"] = float((field >= THRESHOLDS[0]).mean())
    shapes = metrics.minkowski_functionals(field, thresholds=THRESHOLDS).sel(functional="perimeter")
    for at, perimeter in zip(THRESHOLDS, shapes.values, strict=True):
        rows[f"perimeter at {at:g} mm/h"] = float(perimeter)
        rows[f"components at {at:g} mm/h"] = rain.components(field, at)
    for percentile in (99.9, 99.99):
        rows[f"p{percentile}"] = float(np.percentile(field.values, percentile))
    jumps = metrics.border_jump_ratio(field, spatial=10, temporal=3)
    for direction in ("space", "time"):
        rows[f"border jumps in {direction}"] = float(jumps.sel(direction=direction))
    rows["diagonals"] = rain.diagonals(field)
    rows["axes over diagonals"] = rain.axes(field)
    return rows


def ratio(found: float, wanted: float) -> float:
    """Members over truth; NaN where the truth has nothing.

    >>> ratio(3.0, 2.0), ratio(1.0, 0.0)
    (1.5, nan)
    """
    return found / wanted if wanted else float("nan")


def averages(
    results: dict[str, dict[str, dict[str, float]]], *, by_network: bool = True
) -> dict[str, dict[str, dict[str, float]]]:
    """Means over the events of a network, or over all; ratios of truth and members are those of the means."""
    groups: dict[str, list[str]] = {}
    for event in results:
        network = event.split("_")[0] if not event.isdigit() else "MeteoSwiss"
        groups.setdefault(network if by_network else "all", []).append(event)
    return {
        group: {label: mean([results[event][label] for event in names]) for label in results[names[0]]}
        for group, names in groups.items()
    }


def mean(rows: list[dict[str, float]]) -> dict[str, float]:
    """Means of scores; a ratio weighs events by what the truth has.

    >>> mean([{"a: ratio": 2.0, "a: truth": 1.0}, {"a: ratio": 1.0, "a: truth": 3.0}])
    {'a: ratio': 1.25, 'a: truth': 2.0}
    """
    found = {}
    for key in rows[0]:
        name, _, kind = key.partition(": ")
        values = np.array([row[key] for row in rows])
        weights = np.array([row[f"{name}: truth"] for row in rows]) if kind == "ratio" else np.ones(len(rows))
        known = np.isfinite(values) & (weights > 0)
        found[key] = float(np.average(values[known], weights=weights[known])) if known.any() else float("nan")
    return found


def bound(rows: dict[str, dict[str, float]]) -> str:
    """No CRPS is below half of the absolute error of the best median: a table that says so is wrong."""
    crps = min(scores.get(f"CRPS, blocks of {SCALES[0]} km", np.inf) for scores in rows.values())
    best = min(scores["MAE of the median"] for scores in rows.values())
    holds = "holds" if crps >= best / 2 else "BROKEN: this table is wrong"
    return f"bound: CRPS >= 1/2 MAE of the best median: {crps:.4f} >= {best / 2:.4f} {holds}"


def table(rows: dict[str, dict[str, float]]) -> str:
    """Markdown, a row for each score and a column for each method."""
    keys = list(next(iter(rows.values())))
    lines = [f"| | {' | '.join(rows)} |", "|---" * (len(rows) + 1) + "|"]
    lines += [f"| {key} | {' | '.join(f'{scores[key]:.4g}' for scores in rows.values())} |" for key in keys]
    return "\n".join(lines)


def draw(truth: xr.DataArray, drawn: dict[str, xr.DataArray], folder: Path, event: str) -> None:
    """The truth, then two members of each method, in the order of the tables; the median net has one."""
    for kind, box in rain.places(truth, 175).items():
        fields = [truth.isel(box)]
        for ensemble in drawn.values():
            fields += [ensemble.isel(box).isel(member=m) for m in range(min(2, ensemble.sizes["member"]))]
        rain.picture(fields, folder / f"methods_{event}_{kind}.png")


def plot(rows: dict[str, dict[str, float]], path: Path) -> None:
    """Quality against cost: CRPS, spread and LSD by evaluations of a network for a member."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    scores = ("CRPS", "spread/skill", "LSD, dB")
    figure, panels = plt.subplots(1, len(scores), figsize=(11, 3.6), layout="constrained")
    for panel, key in zip(panels, scores, strict=True):
        for sampler in SAMPLERS:
            line = [found for label, found in rows.items() if label.startswith(f"residual, {sampler} ")]
            line.sort(key=lambda found: found["evaluations"])
            panel.plot(
                [found["evaluations"] for found in line],
                [found[key] for found in line],
                marker="o",
                label=f"residual, {sampler}",
            )
        for label, marker in (("generator", "s"), ("shipped generator, trained longer", "*")):
            panel.plot(1, rows[label][key], marker, color="black", markersize=9, label=label)
        panel.set_xscale("log")
        panel.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
        panel.set_xlabel("evaluations of a network for a member")
        panel.set_ylabel(f"{key}, mm/h" if key == "CRPS" else key)
        panel.grid(alpha=0.3)
    panels[0].set_title("lower is better", loc="left", fontsize="medium")
    panels[1].axhline(1.0, color="grey", linewidth=0.8)
    panels[1].set_title("1 is right", loc="left", fontsize="medium")
    panels[2].set_title("lower is better", loc="left", fontsize="medium")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
