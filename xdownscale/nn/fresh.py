"""Fresh weights that depend on a seed alone: on no global random state, no default precision and no other thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable

DRAWN = ("kaiming_uniform_", "normal_", "randn", "uniform_")
"""What draws from a random source while a network is built."""

MADE = ("empty", "ones", "randn", "zeros")
"""What makes a tensor of the default type."""


class FreshWeights(TorchFunctionMode):
    """While it is active in a thread, networks are built in single precision and from a random source of their own.

    Parameters
    ----------
    seed : int
        The weights are those that ``torch.manual_seed(seed)`` would give, and the global state is left alone.

    Examples
    --------
    >>> with FreshWeights(3):
    ...     one = torch.nn.Linear(2, 2)
    >>> with FreshWeights(3):
    ...     other = torch.nn.Linear(2, 2)
    >>> bool((one.weight == other.weight).all())
    True
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.source = torch.Generator().manual_seed(seed)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """The same call with the source, or with single precision."""
        chosen = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if name in DRAWN:
            chosen["generator"] = self.source
        if name in MADE:
            chosen["dtype"] = chosen.get("dtype") or torch.float32
        return func(*args, **chosen)
