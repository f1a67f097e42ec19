"""Time axes for every calendar; matplotlib supports only datetime64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xdownscale.errors import DimensionError
from xdownscale.field.labels import holds_times
from xdownscale.metrics.mismatch import Labels

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes as Panel

_TICKS = 5
"""Number of labels along an axis without matplotlib dates."""


@dataclass(frozen=True)
class Timeline:
    """Positions of the steps of a field along an axis.

    Attributes
    ----------
    field : DataArray
        The field that defines the axis.
    time : str
        Its time dimension.

    Examples
    --------
    >>> import xarray as xr
    >>> days = xr.date_range("2001-02-28", periods=2, calendar="noleap", use_cftime=True)
    >>> Timeline(xr.DataArray([1.0, 2.0], dims="time", coords={"time": days}), "time").places()
    array([    0., 86400.])
    """

    field: xr.DataArray
    time: str

    def places(self, other: xr.DataArray | None = None) -> np.ndarray[Any, Any]:
        """Positions of the steps of the field, or of another field.

        Raises
        ------
        DimensionError
            If the times of the other field are not comparable, or it has none and a different number of steps.
        """
        field = self.field if other is None else other
        alike = field.sizes.get(self.time) == self.field.sizes[self.time]
        if other is not None and self.time not in other.coords and alike:
            return self.places()
        if other is None and self.time not in field.coords:
            return np.arange(field.sizes[self.time])
        if self.time not in field.coords or self.time not in self.field.coords:
            msg = (
                f"the truth has the sizes {dict(field.sizes)}, the ensemble {dict(self.field.sizes)}, and only one of "
                f"them has labels along {self.time!r}. Pass the truth at the same times."
            )
            raise DimensionError(msg)
        labels = Labels(self.time, "forecasts", field[self.time], self.field[self.time])
        numbers = labels.numbers()
        if numbers is None:
            msg = f"the times of ensemble (forecasts) and truth (observations) cannot be compared: {labels.explain()}"
            raise DimensionError(msg)
        ours, theirs = numbers
        if not holds_times(self.field[self.time]):
            return ours
        since: np.ndarray[Any, Any] = ours - theirs[0]
        if self._civil:
            since = self.field[self.time].values[0] + np.round(since * 1e6).astype("timedelta64[us]")
        return since

    @property
    def _civil(self) -> bool:
        """Whether matplotlib supports these times."""
        return self.time in self.field.coords and self.field[self.time].dtype.kind == "M"

    def dress(self, panel: Panel) -> None:
        """Set short date labels."""
        if self._civil:
            from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

            locator = AutoDateLocator()  # type: ignore[no-untyped-call]
            panel.xaxis.set_major_locator(locator)
            panel.xaxis.get_offset_text().set_fontsize(8)
            panel.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        elif self.time in self.field.coords and holds_times(self.field[self.time]):
            steps = np.unique(np.linspace(0, self.field.sizes[self.time] - 1, _TICKS).round().astype(int))
            dates = [str(date) for date in self.field[self.time].values[steps]]
            clock = slice(0, 16) if len({date[:10] for date in dates}) < len(dates) else slice(0, 10)
            panel.set_xticks(self.places()[steps], [date[clock] for date in dates])
