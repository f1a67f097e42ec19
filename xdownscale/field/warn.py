"""Warnings that point to the line of the user's own code."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def warn_user(message: str) -> None:
    """Warn from the first line outside the package, however deep the call is.

    Parameters
    ----------
    message : str
        What the user should know.
    """
    warnings.warn(message, UserWarning, stacklevel=_level())


def _level() -> int:
    """How far up the stack the first line outside the package is."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  warnings.warn counts frames the same way
    level = 1
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] == "xdownscale":
        frame, level = frame.f_back, level + 1
    return level
