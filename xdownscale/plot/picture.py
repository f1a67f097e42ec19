"""A figure that notebooks show by themselves. This module imports matplotlib; it is imported when one is made."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

_DPI = 110


class Picture(Figure):
    """A figure without a window, which Jupyter shows where it is the last line of a cell."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=_DPI)
        return buffer.getvalue()
