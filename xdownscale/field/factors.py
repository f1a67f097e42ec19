"""How many fine cells and steps one coarse cell covers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xdownscale.errors import FactorError
from xdownscale.field.arguments import as_whole
from xdownscale.field.warn import warn_user

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
    def parse(cls, spatial: Any, temporal: Any) -> Factors:
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

    @classmethod
    def given(cls, spatial: Any, temporal: Any, verb: str) -> Factors:
        """Check factors of which one may be left out; the axis is then left as it is.

        Parameters
        ----------
        spatial : int, (int, int) or None
        temporal : int or None
        verb : str
            Name of the function that was called.

        Raises
        ------
        FactorError
            If both are left out, or one is wrong.
        """
        if spatial is None and temporal is None:
            msg = f"{verb} needs a factor: {verb}(field, spatial=10), {verb}(field, temporal=3), or both."
            raise FactorError(msg)
        return cls.parse(1 if spatial is None else spatial, 1 if temporal is None else temporal)

    @property
    def blocks(self) -> tuple[int, int, int]:
        """Fine cells per coarse cell along (time, y, x)."""
        return (self.time, self.y, self.x)

    @property
    def spatial(self) -> int | tuple[int, int]:
        """What a user types for `spatial`: one number when y and x agree."""
        return self.y if self.y == self.x else (self.y, self.x)

    def chosen(self, spatial: int | tuple[int, int] | None, temporal: int | None) -> Factors:
        """These factors, which may be repeated in a call but not changed.

        Parameters
        ----------
        spatial : int, (int, int) or None
        temporal : int or None
            What the user asks for; None takes what is supported.

        Raises
        ------
        FactorError
            For any others.
        """
        wanted = Factors.parse(
            self.spatial if spatial is None else spatial, self.time if temporal is None else temporal
        )
        if wanted != self:
            msg = (
                f"the model refines by {self}, not by {wanted}. Leave spatial and temporal out, or train for "
                f"them: train(field, spatial={wanted.spatial}, temporal={wanted.time})"
            )
            raise FactorError(msg)
        return self

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


@dataclass(frozen=True)
class FactorRange:
    """All factors between bounds, for a model whose factors are chosen when it is used.

    Attributes
    ----------
    spatial, temporal : (int, int)
        Least and largest factor in space, along either axis, and in time.

    Examples
    --------
    >>> print(FactorRange(spatial=(1, 25), temporal=(1, 6)))
    1 to 25 in space, 1 to 6 in time
    """

    spatial: tuple[int, int]
    temporal: tuple[int, int]

    def chosen(self, spatial: int | tuple[int, int] | None, temporal: int | None) -> Factors:
        """The factors that the user asks for; parameters as for :meth:`Factors.chosen`.

        An axis whose factor is left out stays as it is, if the model has learned that.

        Raises
        ------
        FactorError
            If none are given, one is left out that the model has to know, or one lies outside of the bounds.

        Warns
        -----
        UserWarning
            If the spatial factor is left out, so that cells stay as they are.
        """
        if spatial is None and temporal is None:
            msg = (
                f"the model accepts factors of {self}: choose, as in downscale(field, model, "
                f"spatial={self.spatial[1]})"
            )
            raise FactorError(msg)
        for name, value, (low, high) in (
            ("spatial", spatial, self.spatial),
            ("temporal", temporal, self.temporal),
        ):
            if value is None and 1 < low < high:
                msg = f"the model takes factors of {self}, and {name} is left out: choose it, as in {name}={high}"
                raise FactorError(msg)
        wanted = Factors.parse(
            self.spatial[0] if spatial is None else spatial,
            self.temporal[0] if temporal is None else temporal,
        )
        if spatial is None and wanted.spatial == 1 < self.spatial[1]:
            warn_user(
                f"spatial is left out, so that only time is refined and cells stay as they are. Choose it, as in "
                f"spatial={self.spatial[1]}, or pass spatial=1 if this is what you want."
            )
        if not self.holds(wanted):
            msg = f"the model accepts factors of {self}, not {wanted}. Choose others, or refine in two calls."
            raise FactorError(msg)
        return wanted

    def holds(self, factors: Factors) -> bool:
        """Whether factors lie within the bounds."""
        pairs = ((factors.y, self.spatial), (factors.x, self.spatial), (factors.time, self.temporal))
        return all(low <= factor <= high for factor, (low, high) in pairs)

    def __str__(self) -> str:
        low, high = self.spatial
        return f"{low} to {high} in space, {self.temporal[0]} to {self.temporal[1]} in time"


@dataclass(frozen=True)
class FactorChoice:
    """Several factors, of which a model learns all.

    Attributes
    ----------
    spatial, temporal : tuple of int
        In increasing order.

    Examples
    --------
    >>> FactorChoice.parse(range(2, 5), 3)
    FactorChoice(spatial=(2, 3, 4), temporal=(3,))
    >>> FactorChoice.parse((10, 5), 3) is None
    True
    """

    spatial: tuple[int, ...]
    temporal: tuple[int, ...]

    @classmethod
    def parse(cls, spatial: Any, temporal: Any) -> FactorChoice | None:
        """Check factors of which one or both are a range or a list; None for a single pair.

        Parameters
        ----------
        spatial : int, (int, int), range or list of int
            A tuple is a factor for y and one for x, as for a single pair.
        temporal : int, range or list of int

        Raises
        ------
        FactorError
            If there is none, one is no whole number of at least one, or all of them are 1.
        """
        if not isinstance(spatial, (range, list)) and not isinstance(temporal, (range, list)):
            return None
        if isinstance(spatial, tuple):
            msg = f"spatial={spatial!r} is one pair for y and x, and temporal several factors. Pass spatial=[...], too."
            raise FactorError(msg)
        found = [
            tuple(
                sorted(
                    {_whole(each, name) for each in (value if isinstance(value, (range, list)) else [value])}
                )
            )
            for name, value in (("spatial", spatial), ("temporal", temporal))
        ]
        if not all(found) or max(found[0] + found[1]) == 1:
            msg = f"spatial={spatial!r}, temporal={temporal!r}: no factor above 1 to learn. Pass spatial=range(2, 11)."
            raise FactorError(msg)
        return cls(*found)

    @property
    def largest(self) -> Factors:
        """The largest ones."""
        return Factors(y=self.spatial[-1], x=self.spatial[-1], time=self.temporal[-1])


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
