"""What the programs that judge rain share: squares without gaps, texture beyond the package's scores, pictures."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from scipy import ndimage

from xdownscale import metrics

BANDS = ((2, 3), (3, 5), (5, 10), (10, 30))
"""Wavelengths whose power is compared, km."""

COLOURS = (0, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 200)
"""Bounds of the colours of a picture, mm/h."""


def covered(rain: xr.DataArray, size: int) -> xr.DataArray:
    """The square of `size` cells without a missing value that lies nearest to the middle of the field."""
    missing = np.isnan(rain.values).any(0)
    best: tuple[float, int, int] | None = None
    for y in range(0, missing.shape[0] - size + 1, 10):
        for x in range(0, missing.shape[1] - size + 1, 10):
            if not missing[y : y + size, x : x + size].any():
                away = float(
                    np.hypot(y + size / 2 - missing.shape[0] / 2, x + size / 2 - missing.shape[1] / 2)
                )
                best = min(best or (away, y, x), (away, y, x))
    if best is None:
        msg = f"no square of {size} cells is without missing values: use fewer --cells"
        raise SystemExit(msg)
    return rain.isel(y=slice(best[1], best[1] + size), x=slice(best[2], best[2] + size))


def power(truth: xr.DataArray, ensemble: xr.DataArray) -> dict[str, float]:
    """Power of the members over that of the truth by wavelength, in dB."""
    wanted, found = (metrics.power_spectrum(field, window="hann") for field in (truth, ensemble))
    length = 1 / wanted["wavenumber"]
    length = length / (1000 if float(abs(truth["x"].diff("x")).mean()) > 10 else 1)
    rows = {}
    for low, high in BANDS:
        at = (length >= low) & (length < high)
        ratio = float(found.where(at).mean() / wanted.where(at).mean())
        rows[f"power at {low}-{high} km, dB over truth"] = 10 * float(np.log10(ratio))
    return rows


def spread_of_blocks(truth: xr.DataArray, ensemble: xr.DataArray, sides: Sequence[int]) -> dict[str, float]:
    """Spread/skill of means over squares of so many cells: that of single cells hides what regions do."""
    rows = {}
    for side in sides:
        blocks = (field.coarsen(y=side, x=side, boundary="trim").mean() for field in (truth, ensemble))
        rows[f"spread/skill, blocks of {side} km"] = float(metrics.spread_skill_ratio(*blocks))
    return rows


def diagonals(field: xr.DataArray) -> float:
    """Mean square increment along one diagonal over that along the other: 1 without streaks."""
    values = field.values
    one = np.square(values[..., 1:, 1:] - values[..., :-1, :-1]).mean()
    other = np.square(values[..., 1:, :-1] - values[..., :-1, 1:]).mean()
    return float(one / other)


def axes(field: xr.DataArray) -> float:
    """Power of waves of 2 to 4 cells along the axes over that of diagonal ones: a lattice that rings of waves hide."""
    values = field.values.reshape(-1, *field.shape[-2:])
    window = np.hanning(values.shape[1])[:, None] * np.hanning(values.shape[2])
    tapered = (values - values.mean((1, 2), keepdims=True)) * window
    power = np.square(np.abs(np.fft.rfft2(tapered))).mean(0)
    y, x = np.fft.fftfreq(values.shape[1])[:, None], np.fft.rfftfreq(values.shape[2])
    short = (np.hypot(y, x) >= 1 / 4) & (np.hypot(y, x) <= 1 / 2)
    diagonal = np.rint(np.arctan2(abs(y), x) * 4 / np.pi) == 1
    return float(power[short & ~diagonal].mean() / power[short & diagonal].mean())


def components(field: xr.DataArray, threshold: float) -> float:
    """Pieces of the area where a threshold is reached, joined along sides: their mean number in a frame."""
    frames = field.values.reshape(-1, *field.shape[-2:]) >= threshold
    return float(np.mean([ndimage.label(frame)[1] for frame in frames]))


def places(truth: xr.DataArray, size: int) -> dict[str, dict[str, slice]]:
    """The wettest window of the middle step and a showery one, of `size` cells."""
    frame = truth.isel(time=truth.sizes["time"] // 2)
    wet = (frame >= 0.1).coarsen(y=size, x=size, boundary="trim").mean().values
    boxes = {}
    for kind, place in {"wet": np.argmax(wet), "showery": np.argmin(abs(wet - 0.15))}.items():
        row, column = (int(i) * size for i in np.unravel_index(place, wet.shape))
        boxes[kind] = {"y": slice(row, row + size), "x": slice(column, column + size)}
    return boxes


def picture(fields: Sequence[xr.DataArray], path: Path) -> None:
    """Fields side by side, one pixel for each cell; three steps from the middle on, one below the other."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.colors import BoundaryNorm, ListedColormap

    path.parent.mkdir(parents=True, exist_ok=True)
    step, (high, wide) = fields[0].sizes["time"] // 2, fields[0].shape[-2:]
    panels = [
        np.concatenate([field.isel(time=t).values for field in fields], axis=1) for t in range(step, step + 3)
    ]
    image = np.concatenate(panels, axis=0)
    colours = ["white", *plt.get_cmap("viridis_r")(np.linspace(0, 1, len(COLOURS) - 2))]
    colour = ListedColormap(colours)(BoundaryNorm(COLOURS, len(colours))(image))[..., :3]
    lines = np.zeros_like(image, bool)
    lines[:, ::wide] = lines[::high] = True
    colour[lines] = 0.4
    plt.imsave(path, colour)


def coherence(field: xr.DataArray, scale: float = 2.0) -> float:
    """Coherence of log(1 + P/0.2) of rain."""
    return tensor_coherence(np.log1p(field.values / 0.2), scale)


def tensor_coherence(values: np.ndarray, scale: float = 2.0) -> float:
    """Coherence of the structure tensor, (λ₁ − λ₂)/(λ₁ + λ₂), over the last two axes: 0 isotropic, 1 streaks.

    The tensor is averaged over a Gaussian of `scale` cells, the coherence by the energy of gradients.
    """
    frames = values.reshape(-1, *values.shape[-2:])
    along_y, along_x = np.gradient(frames, axis=(1, 2))
    yy, xx, yx = (
        ndimage.gaussian_filter(product, (0, scale, scale))
        for product in (along_y**2, along_x**2, along_y * along_x)
    )
    return float(np.hypot(yy - xx, 2 * yx).sum() / (yy + xx).sum())


def moving_lag(field: xr.DataArray, farthest: int = 20) -> float:
    """Correlation of frames of log(1 + P/0.2) with the frame before, moved by the whole cells that fit best.

    What plain lag-1 hides: texture that is made anew while rain moves on.
    """
    members = np.log1p(field.values.reshape(-1, *field.shape[-3:]) / 0.2)
    found = [
        _best_correlation(before, after, farthest)
        for frames in members
        for before, after in itertools.pairwise(frames)
        if before.std() > 0 and after.std() > 0
    ]
    return float(np.mean(found)) if found else float("nan")


def _best_correlation(before: np.ndarray, after: np.ndarray, farthest: int) -> float:
    """Largest correlation over displacements of up to so many cells, of what both frames have."""
    padded = [2 * size for size in before.shape]
    one, other = (np.fft.rfft2(frame - frame.mean(), padded) for frame in (before, after))
    products = np.fft.irfft2(other * one.conj(), padded)
    reach = np.r_[0 : farthest + 1, -farthest:0]
    near = products[np.ix_(reach, reach)]
    y, x = (int(reach[i]) for i in np.unravel_index(np.argmax(near), near.shape))
    high, wide = before.shape
    first = before[max(0, -y) : high - max(0, y), max(0, -x) : wide - max(0, x)]
    second = after[max(0, y) : high - max(0, -y), max(0, x) : wide - max(0, -x)]
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
