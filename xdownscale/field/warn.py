"""Warnings that point to the line of the user's own code."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType


def warn_user(message: str) -> None:
    """Warn from the first line outside the package, however deep the call is.

    Parameters
    ----------
    message : str
        What the user should know.
    """
    warnings.warn(message, UserWarning, stacklevel=_level())


def name_unchanged(passed: Iterable[object], dropped: Iterable[object], *, lacking: str) -> None:
    """Warn of what a change of grid did not change, if there is any.

    Parameters
    ----------
    passed : iterable
        Names of what passed through.
    dropped : iterable
        Names of what is no longer there.
    lacking : str
        What those that passed through do not have.
    """
    through, out = [str(name) for name in passed], [str(name) for name in dropped]
    parts = [f"passed through unchanged, without {lacking}: {through}"] if through else []
    if out:
        parts.append(f"left out, since they do not fit the new grid: {out}")
    if parts:
        warn_user("; ".join(parts))


def _level() -> int:
    """How far up the stack the first line outside the package is."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  warnings.warn counts frames the same way
    level = 1
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] == "xdownscale":
        frame, level = frame.f_back, level + 1
    return level
