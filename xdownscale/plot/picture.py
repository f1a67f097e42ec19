"""A figure that notebooks display. This module imports matplotlib and is imported only when a figure is made."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

_DPI = 110


class Picture(Figure):
    """A figure without a window, which Jupyter displays if it is the last line of a cell."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=_DPI)
        return buffer.getvalue()
