"""How many fine cells and steps one coarse cell covers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xdownscale.errors import FactorError
from xdownscale.field.arguments import as_whole

if TYPE_CHECKING:
    from xdownscale.field.axes import Axes


@dataclass(frozen=True)
class Factors:
    """Fine cells per coarse cell along y and x, and fine steps per coarse step.

    Attributes
    ----------
    y, x : int
        Fine cells per coarse cell.
    time : int
        Fine steps per coarse step.

    Examples
    --------
    >>> print(Factors.parse(10, 3))
    (10, 3)
    >>> Factors.parse((10, 5), 3).blocks
    (3, 10, 5)
    """

    y: int
    x: int
    time: int

    @classmethod
    def parse(cls, spatial: int | tuple[int, int], temporal: int) -> Factors:
        """Check the factors that a user typed.

        Parameters
        ----------
        spatial : int or (int, int)
            One factor for both axes, or one for y and one for x.
        temporal : int
            Factor in time.

        Raises
        ------
        FactorError
            If a factor is not a whole number of at least one.
        """
        pair = tuple(spatial) if isinstance(spatial, (tuple, list)) else (spatial, spatial)
        if len(pair) != 2:
            msg = f"spatial is one factor or a pair, got {spatial!r}. Pass 10, or (10, 5) for (y, x)."
            raise FactorError(msg)
        return cls(
            y=_whole(pair[0], "spatial"), x=_whole(pair[1], "spatial"), time=_whole(temporal, "temporal")
        )

    @property
    def blocks(self) -> tuple[int, int, int]:
        """Fine cells per coarse cell along (time, y, x)."""
        return (self.time, self.y, self.x)

    @property
    def spatial(self) -> int | tuple[int, int]:
        """What a user types for `spatial`: one number when y and x agree."""
        return self.y if self.y == self.x else (self.y, self.x)

    def by_dim(self, axes: Axes) -> dict[str, int]:
        """Factors above one, by name of the dimension; time is left out where the field has none."""
        pairs = [(axes.y, self.y), (axes.x, self.x), (axes.time, self.time)]
        return {dim: factor for dim, factor in pairs if dim is not None and factor > 1}

    @property
    def cells(self) -> int:
        """Fine values per coarse value."""
        return self.time * self.y * self.x

    def __str__(self) -> str:
        return f"({self.spatial}, {self.time})"


def _whole(value: Any, name: str) -> int:
    """The value as an int of at least one; any integer type is welcome, 10.0 and True are not."""
    number = as_whole(value, least=1)
    if number is None:
        pair = ", or spatial=(10, 5) for (y, x)" if name == "spatial" else ""
        msg = (
            f"{name} factors are whole numbers of at least 1, got {value!r}. Pass for example {name}=3{pair}."
        )
        raise FactorError(msg)
    return number
