"""Windows mirrored and turned by right angles, and with them the components of vectors such as wind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from einops import rearrange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Turn:
    """A symmetry of the square: mirrored along y, then along x, then y and x swapped.

    Two of the three, or none, make a rotation; one or all three a mirror image.

    Parameters
    ----------
    flip_y, flip_x, swap : bool
    """

    flip_y: bool = False
    flip_x: bool = False
    swap: bool = False

    def of(
        self, values: NDArray[np.float32], *, vectors: Sequence[tuple[int, int]] = (), handed: int = 1
    ) -> NDArray[np.float32]:
        """Values after the symmetry.

        An eastward component changes its sign where x is mirrored and a northward one where y is, whichever way the
        labels run. Swapping the axes swaps the components: where both axes run the same way, the field along x becomes
        that along y; where one runs against its labels, as latitudes from north to south do, what pointed along the
        array's x points against the labels of y, and both change their sign.

        Parameters
        ----------
        values : array, shape (..., channels, y, x)
        vectors : sequence of (int, int)
            Channels of eastward and northward components.
        handed : int
            −1 where the labels of one of the two axes decrease, else 1.

        Examples
        --------
        >>> eastward = np.array([[[1.0]], [[0.0]]], np.float32)
        >>> Turn(flip_x=True).of(eastward, vectors=[(0, 1)]).ravel().tolist()
        [-1.0, 0.0]
        >>> Turn(swap=True).of(eastward, vectors=[(0, 1)]).ravel().tolist()
        [0.0, 1.0]
        """
        turned = values[..., :: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        turned = np.ascontiguousarray(rearrange(turned, "... y x -> ... x y") if self.swap else turned)
        for east, north in vectors:
            u = turned[..., east, :, :] * np.float32(-1 if self.flip_x else 1)
            v = turned[..., north, :, :] * np.float32(-1 if self.flip_y else 1)
            if self.swap:
                u, v = handed * v, handed * u
            turned = turned.copy() if np.shares_memory(turned, values) else turned
            turned[..., east, :, :], turned[..., north, :, :] = u, v
        return turned
