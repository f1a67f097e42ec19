"""Scores of a case and the table of them: means over what was processed, ratios, and what cannot be true."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xdownscale import metrics

RUN = 6
"""Steps that are resampled together: half an hour."""

DRAWS = 2000

SCORES = ("MSE", "MAE", "p99.9 error", "LSD", "EMD", "SSIM", "PIT deviation", "CRPS")
"""The eight, as the paper orders them."""

DETERMINISTIC, MEDIAN, FULL, RAINFARM = "deterministic", "median net", "scale-adaptive", "RainFARM"
"""Labels of the rows that others are set over."""


def judge(truth: xr.DataArray, forecast: xr.DataArray, temporal: int) -> dict[str, Any]:
    """Scores of one case: means over its samples, and what is resampled, sample by sample."""
    one = forecast.isel(member=0)
    space = list(truth.dims[1:])
    ensemble = forecast.sizes["member"] > 1

    def by_step(values: xr.DataArray) -> list[float]:
        """Means over coarse steps."""
        return [float(v) for v in values.mean(space).values.reshape(-1, temporal).mean(1)]

    fair = metrics.crps_ensemble(truth, forecast, dim=space)
    return {
        "samples": truth.sizes["time"] // temporal,
        "scores": {
            "MSE": float(metrics.mse(truth, one)),
            "MAE": float(metrics.mae(truth, one)),
            "p99.9 error": float(metrics.percentile_error(truth, one, q=99.9)),
            "LSD": float(metrics.lsd(truth, one)),
            "EMD": float(metrics.emd(truth, one)),
            "SSIM": float(metrics.ssim(truth, one, data_range=float(truth.max() - truth.min()))),
            "PIT deviation": float(metrics.pit_deviation(truth, forecast)) if ensemble else None,
            "CRPS": float(fair.mean()),
            "spread/skill": float(metrics.spread_skill_ratio(truth, forecast)) if ensemble else None,
        },
        "crps": [float(v) for v in fair.values.reshape(-1, temporal).mean(1)],
        "mae": by_step(abs(one - truth.values)),
        "mae of the median": by_step(abs(forecast.median("member") - truth.values)),
    }


def mean_over_samples(row: dict[str, Any], score: str) -> float | None:
    """A score over all samples that were processed, each with the same weight."""
    every = [(case["samples"], case["scores"][score]) for case in row["cases"].values()]
    if any(value is None for _, value in every):
        return None
    return float(sum(count * value for count, value in every) / sum(count for count, _ in every))


def joined(row: dict[str, Any], what: str) -> np.ndarray:
    """What is resampled, of all cases one after the other."""
    return np.concatenate([case[what] for case in row["cases"].values()])


def runs(row: dict[str, Any], temporal: int) -> list[np.ndarray]:
    """Places of samples that are resampled together: half an hour of one case."""
    length, first, found = max(1, RUN // temporal), 0, []
    for case in row["cases"].values():
        found += [
            np.arange(first + a, first + min(a + length, case["samples"]))
            for a in range(0, case["samples"], length)
        ]
        first += case["samples"]
    return found


def ratio(ours: np.ndarray, theirs: np.ndarray, blocks: list[np.ndarray]) -> list[float]:
    """Ratio of two means with its interval, by resampling the same runs of both."""
    random = np.random.default_rng(0)
    sums = np.array([[ours[at].sum(), theirs[at].sum()] for at in blocks])
    chosen = sums[random.integers(0, len(blocks), (DRAWS, len(blocks)))].sum(1)
    low, high = np.percentile(chosen[:, 0] / chosen[:, 1], [2.5, 97.5])
    return [float(ours.mean() / theirs.mean()), float(low), float(high)]


def summary(rows: dict[str, dict[str, Any]], temporal: int) -> dict[str, Any]:
    """All that a table says: scores, samples, ratios with their intervals, and whether the table can be true."""
    counts = {label: sum(case["samples"] for case in row["cases"].values()) for label, row in rows.items()}
    medians = {label: joined(row, "mae of the median").mean() for label, row in rows.items()}
    best = min(medians, key=lambda label: medians[label])
    least = min(rows, key=lambda label: joined(rows[label], "crps").mean())
    crps = float(joined(rows[least], "crps").mean())
    over = {
        "fair CRPS over MAE of the deterministic net": DETERMINISTIC,
        "fair CRPS over MAE of the median net": MEDIAN,
    }
    made: dict[str, Any] = {}
    for label, row in rows.items():
        blocks = runs(row, temporal)
        found: dict[str, Any] = {name: mean_over_samples(row, name) for name in (*SCORES, "spread/skill")}
        found |= {
            "samples": counts[label],
            "evaluations": row["evaluations"],
            "trained for steps": row["trained for steps"],
        }
        for title, other in over.items():
            if other in rows and counts[other] == counts[label]:
                found[title] = ratio(joined(row, "crps"), joined(rows[other], "mae"), blocks)
        for other in (FULL, RAINFARM):
            if other in rows and counts[other] == counts[label]:
                found[f"CRPS over that of {other}"] = ratio(
                    joined(row, "crps"), joined(rows[other], "crps"), blocks
                )
        made[label] = found
    whole = len(set(counts.values())) == 1
    return {
        "rows": made,
        "bound": {
            "least CRPS": crps,
            "of": least,
            "half MAE of the best median": float(medians[best] / 2),
            "median": best,
        },
        "holds": bool(crps >= medians[best] / 2),
        "all processed the same samples": whole,
    }


def table(found: dict[str, Any]) -> str:
    """Markdown: the eight scores, then what they mean."""
    titles = [*SCORES, "spread/skill", "samples", "evaluations", "trained for steps"]
    titles += sorted({title for row in found["rows"].values() for title in row} - {*titles})
    lines = [f"| | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for label, row in found["rows"].items():
        lines.append(f"| {label} | {' | '.join(cell(row.get(title)) for title in titles)} |")
    bound = found["bound"]
    holds = "holds" if found["holds"] else "BROKEN: this table is wrong"
    crps, half = bound["least CRPS"], bound["half MAE of the best median"]
    sides = f"{crps:.4f} ({bound['of']}) >= {half:.4f} ({bound['median']})"
    lines += ["", f"bound: CRPS >= 1/2 MAE of the best median: {sides} {holds}"]
    if not found["all processed the same samples"]:
        lines.append("rows have processed different numbers of samples: they do not compare")
    return "\n".join(lines)


def cell(value: Any) -> str:
    """A number, a number with its interval, or nothing."""
    if value is None:
        return ""
    if isinstance(value, list):
        return f"{value[0]:.3f} ({value[1]:.3f} … {value[2]:.3f})"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
