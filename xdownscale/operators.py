"""What is seen of a fine field: linear operators A with their exact adjoints Aᵀ, and what is made of them.

A fine trajectory is a tensor (…, variables, time, y, x). An operator maps it to what an observer would see: block means
(a coarse model), every T-th frame (instantaneous output), single variables, the cells that are known, or values at
points (stations). Operators are composed, ``Chain([blocks, known])``, and put beside each other, ``Stack([coarse,
stations])``. For all of them ⟨A·x, y⟩ = ⟨x, Aᵀ·y⟩ to rounding, which is what guidance (``diffusion.guide``) needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import torch

from xdownscale.errors import DimensionError, ValueRangeError
from xdownscale.kernels.blocks import block_repeat, block_sum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from xdownscale.kernels.blocks import Blocks

Shape: TypeAlias = tuple[int, ...]

OUTSIDE = 0.5
"""Cells from the centre of the outermost cell to the border of the domain: a point may lie as far out."""


class Operator(Protocol):
    """A linear map between tensors of fixed shapes, with any axes in front."""

    @property
    def inside(self) -> Shape:
        """Shape of what is looked at."""

    @property
    def outside(self) -> Shape:
        """Shape of what is seen."""

    def __call__(self, x: Tensor) -> Tensor:
        """A·x, shape (…, outside) from (…, inside)."""

    def adjoint(self, y: Tensor) -> Tensor:
        """Aᵀ·y, shape (…, inside) from (…, outside)."""


@dataclass(frozen=True)
class BlockMean:
    """Weighted mean of every block of cells: y_n = Σ_i w_i·x_i / Σ_i w_i over the cells i of block n.

    Parameters
    ----------
    inside : tuple of int
        Variables, time, y, x.
    blocks : tuple of int
        Fine cells per coarse cell along (time, y, x).
    weights : Tensor, optional
        Not negative, such as areas of cells; of a shape that broadcasts to (time, y, x). None weighs all cells alike.

    Raises
    ------
    DimensionError
        If blocks do not fill the domain.
    ValueRangeError
        For a negative weight, or a block without any.
    """

    inside: Shape
    blocks: Blocks
    weights: Tensor | None = None

    def __post_init__(self) -> None:
        left = [size % block for size, block in zip(self.inside[-3:], self.blocks, strict=True)]
        if any(left):
            msg = (
                f"blocks of {self.blocks} cells (time, y, x) do not fill a domain of {self.inside[-3:]}: {left} are "
                f"left over. Pass a domain of whole blocks, as in xdownscale.coarsen(field, boundary='trim')."
            )
            raise DimensionError(msg)
        if self.weights is not None and (bool((self.weights < 0).any()) or bool((self._total <= 0).any())):
            msg = "weights of cells must not be negative, and every block needs a positive one; pass areas of cells."
            raise ValueRangeError(msg)

    @property
    def outside(self) -> Shape:
        """Variables and coarse time, y, x."""
        sizes = (size // block for size, block in zip(self.inside[-3:], self.blocks, strict=True))
        return (*self.inside[:-3], *sizes)

    def __call__(self, x: Tensor) -> Tensor:
        """The means."""
        if self.weights is None:
            return block_sum(x, self.blocks) / math.prod(self.blocks)
        return block_sum(x * self.weights.to(x), self.blocks) / self._total.to(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """Every mean spread over its block, in proportion to the weights."""
        if self.weights is None:
            return block_repeat(y, self.blocks) / math.prod(self.blocks)
        return block_repeat(y / self._total.to(y), self.blocks) * self.weights.to(y)

    @cached_property
    def _total(self) -> Tensor:
        """Sum of the weights of every block, (time, y, x)."""
        assert self.weights is not None  # noqa: S101 (asked for only where there are weights)
        return block_sum(self.weights.expand(self.inside[-3:]), self.blocks)


class _Chosen(Protocol):
    """What a selection says of itself."""

    @property
    def inside(self) -> Shape:
        """Shape of what is looked at."""

    @property
    def outside(self) -> Shape:
        """Shape of what is seen."""

    @property
    def place(self) -> tuple[Any, ...]:
        """Index, behind an ellipsis, of the entries that are seen."""


class _Selection:
    """Some of the entries: A takes them out, Aᵀ puts them back at their places, with zero elsewhere."""

    def __call__(self: _Chosen, x: Tensor) -> Tensor:
        """The entries that are seen."""
        return x[(..., *self.place)]

    def adjoint(self: _Chosen, y: Tensor) -> Tensor:
        """The entries at their places, zero elsewhere."""
        x = y.new_zeros(*y.shape[: y.ndim - len(self.outside)], *self.inside)
        x[(..., *self.place)] = y
        return x


@dataclass(frozen=True)
class EveryFrame(_Selection):
    """Every T-th frame, as a model that writes instantaneous values.

    Parameters
    ----------
    inside : tuple of int
        Variables, time, y, x.
    step : int
        T.
    first : int
        The first frame that is seen.
    """

    inside: Shape
    step: int
    first: int = 0

    @property
    def outside(self) -> Shape:
        """Variables, frames that are seen, y, x."""
        return (*self.inside[:-3], len(range(self.first, self.inside[-3], self.step)), *self.inside[-2:])

    @property
    def place(self) -> tuple[slice, slice, slice]:
        """The frames that are seen."""
        return slice(self.first, None, self.step), slice(None), slice(None)


@dataclass(frozen=True)
class Variables(_Selection):
    """Some of the variables.

    Parameters
    ----------
    inside : tuple of int
        Variables, time, y, x.
    chosen : tuple of int
        Positions of those that are seen, each once.
    """

    inside: Shape
    chosen: tuple[int, ...]

    @property
    def outside(self) -> Shape:
        """Variables that are seen, time, y, x."""
        return (len(self.chosen), *self.inside[-3:])

    @property
    def place(self) -> tuple[list[int], slice, slice, slice]:
        """The variables that are seen."""
        return list(self.chosen), slice(None), slice(None), slice(None)


@dataclass(frozen=True)
class Part(_Selection):
    """Part of a domain: what lies around it is not seen.

    Parameters
    ----------
    inside : tuple of int
        Variables, time, y, x.
    start, size : tuple of int
        First cell and size (time, y, x) of what is seen.
    """

    inside: Shape
    start: tuple[int, int, int]
    size: tuple[int, int, int]

    @property
    def outside(self) -> Shape:
        """Variables and the size of what is seen."""
        return (*self.inside[:-3], *self.size)

    @property
    def place(self) -> tuple[slice, slice, slice]:
        """Where it lies along time, y and x."""
        time, y, x = (slice(first, first + size) for first, size in zip(self.start, self.size, strict=True))
        return time, y, x


@dataclass(frozen=True)
class Known(_Selection):
    """The entries that are known, in a row: what is missing is not seen.

    Parameters
    ----------
    known : Tensor
        bool, of the shape of what is looked at.
    """

    known: Tensor

    @property
    def inside(self) -> Shape:
        """Shape of the mask."""
        return tuple(self.known.shape)

    @property
    def outside(self) -> Shape:
        """How many are known."""
        return (int(self.known.sum()),)

    @property
    def place(self) -> tuple[Tensor]:
        """The mask."""
        return (self.known,)


@dataclass(frozen=True)
class Points:
    """Values at points, bilinear in space and linear in time.

    Parameters
    ----------
    inside : tuple of int
        Variables, time, y, x.
    places : Tensor, shape (points, 3)
        Time, y and x in cells, 0 at the centre of the first one. Up to half a cell beyond the outermost centres, where
        the domain ends, the outermost cell counts.
    variables : Tensor, shape (points,), int
        Which variable each sees.

    Raises
    ------
    ValueRangeError
        For a point outside of the domain.
    """

    inside: Shape
    places: Tensor
    variables: Tensor

    def __post_init__(self) -> None:
        last = self.places.new_tensor(self.inside[-3:]) - 1
        out = ((self.places < -OUTSIDE) | (self.places > last + OUTSIDE)).any(-1)
        if bool(out.any()):
            first = int(out.nonzero()[0])
            place = [round(each, 2) for each in self.places[first].tolist()]
            msg = (
                f"{int(out.sum())} of {len(out)} points lie outside of the domain of {self.inside[-3:]} cells (time, "
                f"y, x); the first, number {first}, at {place}. Leave them out, or use a larger domain."
            )
            raise ValueRangeError(msg)

    @property
    def outside(self) -> Shape:
        """How many points."""
        return (len(self.places),)

    def __call__(self, x: Tensor) -> Tensor:
        """The values there."""
        index, weights = self._corners
        flat = x.flatten(-len(self.inside))
        return (flat[..., index] * weights.to(x)).sum(-1)

    def adjoint(self, y: Tensor) -> Tensor:
        """Values shared out among the cells around their points."""
        index, weights = self._corners
        shared = (y.unsqueeze(-1) * weights.to(y)).flatten(-2)
        flat = y.new_zeros(*y.shape[:-1], math.prod(self.inside))
        flat.index_add_(-1, index.flatten(), shared)
        return flat.unflatten(-1, self.inside)

    @cached_property
    def _corners(self) -> tuple[Tensor, Tensor]:
        """Flat positions and weights of the eight cells around every point, (points, 8)."""
        sizes = self.places.new_tensor(self.inside[-3:])
        within = self.places.clamp_min(0).minimum(sizes - 1)
        low = within.floor().minimum((sizes - 2).clamp_min(0))
        share = within - low
        index, weights = [], []
        for corner in product((0, 1), repeat=3):
            step = low.new_tensor(corner)
            place = (low + step).minimum(sizes - 1).long()
            flat = self.variables.long()
            for axis, size in enumerate(self.inside[-3:]):
                flat = flat * size + place[:, axis]
            index.append(flat)
            weights.append(torch.where(step.bool(), share, 1 - share).prod(-1))
        return torch.stack(index, -1), torch.stack(weights, -1)


@dataclass(frozen=True)
class Chain:
    """Operators one after the other, the first one first.

    Parameters
    ----------
    parts : sequence of Operator

    Raises
    ------
    DimensionError
        If what one gives is not what the next one takes.
    """

    parts: Sequence[Operator]

    def __post_init__(self) -> None:
        for first, second in pairwise(self.parts):
            if tuple(first.outside) != tuple(second.inside):
                msg = (
                    f"{type(first).__name__} gives {first.outside}, but {type(second).__name__} takes {second.inside}. "
                    f"Build the second for the shape that the first gives."
                )
                raise DimensionError(msg)

    @property
    def inside(self) -> Shape:
        """What the first one takes."""
        return self.parts[0].inside

    @property
    def outside(self) -> Shape:
        """What the last one gives."""
        return self.parts[-1].outside

    def __call__(self, x: Tensor) -> Tensor:
        """From the first to the last."""
        for part in self.parts:
            x = part(x)
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        """From the last to the first."""
        for part in reversed(self.parts):
            y = part.adjoint(y)
        return y


@dataclass(frozen=True)
class Stack:
    """Several views of the same field, their values in a row.

    Parameters
    ----------
    parts : sequence of Operator

    Raises
    ------
    DimensionError
        If they look at fields of different shapes.

    Examples
    --------
    >>> shape = (1, 3, 4, 4)
    >>> seen = Stack([BlockMean(shape, (3, 2, 2)), EveryFrame(shape, 3)])
    >>> seen(torch.ones(5, *shape)).shape
    torch.Size([5, 20])
    """

    parts: Sequence[Operator]

    def __post_init__(self) -> None:
        shapes = {tuple(part.inside) for part in self.parts}
        if len(shapes) != 1:
            msg = (
                f"operators on one field must have one input shape, not {sorted(shapes)}. Build all for the same fine "
                "grid."
            )
            raise DimensionError(msg)

    @property
    def inside(self) -> Shape:
        """What all look at."""
        return self.parts[0].inside

    @property
    def outside(self) -> Shape:
        """How many values."""
        return (sum(self._sizes),)

    def __call__(self, x: Tensor) -> Tensor:
        """All values."""
        return torch.cat([part(x).flatten(-len(part.outside)) for part in self.parts], -1)

    def adjoint(self, y: Tensor) -> Tensor:
        """The sum of the adjoints."""
        pieces = y.split(self._sizes, -1)
        whole = [
            part.adjoint(piece.unflatten(-1, part.outside))
            for part, piece in zip(self.parts, pieces, strict=True)
        ]
        return torch.stack(whole).sum(0)

    @property
    def _sizes(self) -> list[int]:
        return [math.prod(part.outside) for part in self.parts]
