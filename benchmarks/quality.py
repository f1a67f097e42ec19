r"""Quality on real radar rain that no training run has seen: the three MeteoSwiss events, by 10 in space, 3 in time.

    python benchmarks/quality.py ../shared/data --median median.safetensors --seeds 0 1 2 --pictures pictures \
        --json quality.json

Models: the shipped generator (10 members), the median net (the same network without noise, trained on the absolute
error), bicubic in space and nearest, both held over the three steps. Scored is the square of 350 × 350 km without
missing values that lies nearest to the middle of each event, all of its steps; the ensemble is drawn on the same
domain. The events are equal in size and count alike; intervals are bootstrapped over blocks of three coarse steps.
Tables by event are those of the first seed; the summary is printed for every seed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import common
import numpy as np
import rain
import verdict
import xarray as xr

import xdownscale
from xdownscale import metrics

BLOCK = 9
"""Fine steps that are resampled together: 45 minutes."""

SIDES = (4, 10, 20)
"""Sides of the blocks whose spread is looked at, km."""


def main() -> None:
    """Score, print, record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="rain-10x3")
    parser.add_argument("--median", type=Path)
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the ensembles that are drawn")
    parser.add_argument("--events", nargs="+", default=list(common.TEST_EVENTS))
    parser.add_argument(
        "--cells", type=int, default=35, help="coarse cells along each side of the scored square"
    )
    parser.add_argument("--styles", nargs="*", default=[], help="other styles to score beside the default")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    generator = xdownscale.zoo.load(options.model)
    median = None if options.median is None else xdownscale.load(options.median)
    results: dict[int, dict[str, dict[str, float]]] = {seed: {} for seed in options.seeds}
    errors: dict[int, list[np.ndarray]] = {seed: [] for seed in options.seeds}
    styles: dict[str, dict[str, dict[str, float]]] = {}
    for event in options.events:
        truth = rain.covered(common.event_rain(options.folder, event), 10 * options.cells)
        coarse = truth.sr.coarsen(spatial=10, temporal=3)
        fixed = yardsticks(coarse, median)
        wanted = climate(truth, "truth")
        for seed in options.seeds:
            ensemble = coarse.sr.downscale(generator, members=options.members, seed=seed)
            rows = score_fixed(truth, fixed) | score_event(truth, coarse, ensemble)
            results[seed][event] = rows | wanted | climate(ensemble, "members")
            errors[seed].append(block_errors(truth, ensemble, fixed))
            if seed == options.seeds[0]:
                print(f"\n{event}\n" + table({event: results[seed][event]}), flush=True)
                if options.pictures is not None:
                    draw(truth, ensemble, options.pictures, event)
        for style in options.styles:
            other = coarse.sr.downscale(generator, members=options.members, style=style)
            styles.setdefault(style, {})[event] = texture(truth, other)
    print("\nall events\n" + table(results[options.seeds[0]]))
    for style, found in styles.items():
        print(f"\nstyle {style}\n" + table(found))
    summaries = {
        f"seed {seed}": summarise(results[seed], np.concatenate(errors[seed])) for seed in options.seeds
    }
    for label, summary in summaries.items():
        print(f"\n{label}\n" + "\n".join(f"{name:52s} {value}" for name, value in summary.items()))
    common.record(
        options.json,
        results=results[options.seeds[0]],
        styles=styles,
        summary=summaries[f"seed {options.seeds[0]}"],
        summaries=summaries,
        model=str(options.model),
        sha256=generator.sha256,
    )


def yardsticks(coarse: xr.DataArray, median: xdownscale.Downscaler | None) -> dict[str, xr.DataArray]:
    """Interpolations and, if there is one, the median net: one fine field each."""
    fixed = {
        "bicubic": coarse.sr.interpolate(spatial=10, temporal=3, method="bicubic"),
        "nearest": coarse.sr.interpolate(spatial=10, temporal=3, method="nearest"),
    }
    if median is not None:
        fixed["median net"] = coarse.sr.downscale(median).isel(member=0, drop=True)
    return fixed


def score_fixed(truth: xr.DataArray, fixed: dict[str, xr.DataArray]) -> dict[str, float]:
    """Scores of the yardsticks."""
    rows: dict[str, float] = {}
    for name, field in fixed.items():
        rows[f"MAE {name}"] = float(metrics.mae(truth, field))
        rows[f"LSD {name}"] = float(metrics.lsd(truth, field))
    rows["SSIM bicubic"] = float(metrics.ssim(truth, fixed["bicubic"], data_range=float(truth.max())))
    return rows


def score_event(truth: xr.DataArray, coarse: xr.DataArray, ensemble: xr.DataArray) -> dict[str, float]:
    """All scores of an ensemble of one event."""
    rows: dict[str, float] = {}
    rows["fair CRPS"] = float(metrics.crps_ensemble(truth, ensemble))
    rows["MAE ensemble median"] = float(abs(ensemble.median("member") - truth).mean())
    rows["spread/skill"] = float(metrics.spread_skill_ratio(truth, ensemble))
    rows |= rain.spread_of_blocks(truth, ensemble, SIDES)
    rows["PIT deviation"] = float(metrics.pit_deviation(truth, ensemble))
    first = ensemble.isel(member=slice(0, 3))
    rows["LSD members"] = float(metrics.lsd(truth, ensemble))
    rows["EMD members"] = float(metrics.emd(truth, ensemble))
    rows["SSIM members"] = float(metrics.ssim(truth, first, data_range=float(truth.max())))
    return rows | rain.power(truth, ensemble) | guarantees(coarse, ensemble)


def block_errors(truth: xr.DataArray, ensemble: xr.DataArray, fixed: dict[str, xr.DataArray]) -> np.ndarray:
    """CRPS and the errors of the yardsticks for each block of time, for the bootstrap."""
    blocks = [
        [
            float(metrics.crps_ensemble(truth[t : t + BLOCK], ensemble[:, t : t + BLOCK])),
            *(float(metrics.mae(truth[t : t + BLOCK], field[t : t + BLOCK])) for field in fixed.values()),
        ]
        for t in range(0, truth.sizes["time"], BLOCK)
    ]
    return np.asarray(blocks)


def texture(truth: xr.DataArray, ensemble: xr.DataArray) -> dict[str, float]:
    """The scores that a style moves."""
    return {
        "fair CRPS": float(metrics.crps_ensemble(truth, ensemble)),
        "spread/skill": float(metrics.spread_skill_ratio(truth, ensemble)),
        "LSD members": float(metrics.lsd(truth, ensemble)),
        "lag-1 members": float(metrics.lag_autocorrelation(ensemble)),
        **rain.power(truth, ensemble),
    }


def climate(field: xr.DataArray, label: str) -> dict[str, float]:
    """What fields are like."""
    rows = {f"{name} {label}": value for name, value in verdict.texture(field).items()}
    for percentile in (99, 99.999):
        rows[f"p{percentile} {label}"] = float(np.percentile(field.values, percentile))
    return rows


def guarantees(coarse: xr.DataArray, ensemble: xr.DataArray) -> dict[str, float]:
    """What must hold exactly."""
    again = ensemble.astype("float64").sr.coarsen(spatial=10, temporal=3)
    error = abs(again - coarse) / coarse.where(coarse > 0)
    dry = np.kron(coarse.values == 0, np.ones((3, 10, 10), bool))
    return {
        "largest relative error of a block mean": float(error.max()),
        "largest value in a dry cell": float(ensemble.values[:, dry].max(initial=0)),
        "smallest value": float(ensemble.min()),
        "missing values": float(np.isnan(ensemble.values).sum()),
    }


def summarise(results: dict[str, dict[str, float]], blocks: np.ndarray) -> dict[str, str]:
    """The figures that matter, over all events, with 95 % intervals of the ratios."""
    mean = {
        key: float(np.mean([rows[key] for rows in results.values()])) for key in next(iter(results.values()))
    }
    random = np.random.default_rng(0)
    draws = blocks[random.integers(0, len(blocks), (2000, len(blocks)))].mean(1)

    def ratio(column: int) -> str:
        low, high = np.percentile(draws[:, column] / draws[:, 1], [2.5, 97.5])
        return f"({low:.3f} … {high:.3f})"

    rows = {"fair CRPS / bicubic MAE": f"{mean['fair CRPS'] / mean['MAE bicubic']:.3f} {ratio(0)}"}
    best = mean["MAE ensemble median"]
    if "MAE median net" in mean:
        rows["median net MAE / bicubic MAE"] = (
            f"{mean['MAE median net'] / mean['MAE bicubic']:.3f} {ratio(3)}"
        )
        best = min(best, mean["MAE median net"])
    holds = "holds" if mean["fair CRPS"] >= 0.5 * best else "BROKEN: this table is wrong"
    rows["bound: CRPS >= 1/2 MAE of the best median"] = f"{mean['fair CRPS']:.4f} >= {0.5 * best:.4f} {holds}"
    of_blocks = (f", blocks of {side} km" for side in SIDES)
    rows |= {f"spread/skill{what}": f"{mean[f'spread/skill{what}']:.3f}" for what in ("", *of_blocks)}
    rows["LSD members / bicubic"] = f"{mean['LSD members']:.2f} / {mean['LSD bicubic']:.2f} dB"
    shapes = [f"{what} at {at} mm/h" for what in ("perimeter", "components") for at in ("0.1", "1", "5")]
    for what in (
        "lag-1", "lag-2", "p99.9", "border jumps in space", "border jumps in time", "wet fraction", "diagonals",
        "axes over diagonals",
        *shapes,
    ):  # fmt: skip
        truth, members = mean[f"{what} truth"], mean[f"{what} members"]
        rows[f"{what}: members / truth"] = f"{members:.3f} / {truth:.3f} = {members / truth:.3f}"
    worst = max(rows_["largest relative error of a block mean"] for rows_ in results.values())
    rows["largest relative error of a block mean"] = f"{worst:.1e}"
    return rows


def table(results: dict[str, dict[str, float]]) -> str:
    """Plain text, a row for each score and a column for each event."""
    lines = ["".join([f"{'':42s}", *(f"{event:>12s}" for event in results)])]
    lines += [
        "".join([f"{key:42s}", *(f"{rows[key]:12.4g}" for rows in results.values())])
        for key in next(iter(results.values()))
    ]
    return "\n".join(lines)


def draw(truth: xr.DataArray, ensemble: xr.DataArray, folder: Path, event: str) -> None:
    """Six members beside the truth, one pixel per kilometre: the wettest window and a showery one."""
    for kind, box in rain.places(truth, 175).items():
        fields = [truth.isel(box), *(ensemble.isel(box).isel(member=m) for m in range(6))]
        rain.picture(fields, folder / f"{event}_{kind}.png")


if __name__ == "__main__":
    main()
