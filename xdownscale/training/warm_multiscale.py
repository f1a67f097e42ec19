"""Weights for one pair of factors as the start of those for all: at that pair and its scale nothing changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from xdownscale.errors import ArgumentError
from xdownscale.nn.multiscale import SHARED, basis

if TYPE_CHECKING:
    from torch import Tensor

    from xdownscale.models.generator import Generator
    from xdownscale.models.multiscale import Multiscale


def start_from_pair(method: Multiscale, given: Generator) -> None:
    """Copy weights, in place.

    The first stage of `given` grows features of the trunk with a 1 × 1 convolution of its own, which becomes that of
    the entry at the third stage; what the third stage does to features of an earlier one begins as the identity.
    Weights of steps become those of basis functions. Everything that the scale tells begins without effect.

    Parameters
    ----------
    method : Multiscale
        Takes the weights.
    given : Generator
        Has them; its sizes are those of `method`, and it has three stages.

    Raises
    ------
    ArgumentError
        If it has another number of stages, or other sizes.
    """
    known, state = given.network.state_dict(), method.network.state_dict()
    if len(given.network.rungs) != SHARED or given.network.apart is None:
        msg = f"weights for all factors start from those of a pair with {SHARED} stages that refines time"
        raise ArgumentError(msg)
    with torch.no_grad():
        for name, value in known.items():
            for target in _targets(name):
                _copy(value, state[target])
        phases = torch.linalg.inv(basis(given.network.blocks[0])[:, : given.network.blocks[0]].double())
        for name in ("weight", "bias"):
            each = known[f"apart.parts.convolution.{name}"].double().unflatten(0, (len(phases), -1))
            found = torch.einsum("kt,t...->k...", phases, each).flatten(0, 1).float()
            state[f"apart.parts.convolution.{name}"][: len(found)] = found
        third = f"stages.{SHARED - 1}.narrow"
        state[f"{third}.convolution.weight"].copy_(
            torch.eye(len(state[f"{third}.convolution.bias"]))[..., None, None]
        )
        _copy_styles(method, given)


def start_from_general(method: Multiscale, given: Multiscale) -> None:
    """Copy weights of another network for all factors, in place; products new to it begin at its default."""
    state = given.state_dict()
    with torch.no_grad():
        for name, value in method.state_dict().items():
            if name != "styles":
                _copy(state[name], value)
        _copy_styles(method, given)


def _copy_styles(method: Multiscale, given: Generator) -> None:
    """The vectors of products, in place."""
    for row, product in enumerate(method.settings.styles):
        method.styles[row] = given.style(product if product in given.settings.styles else None)


def _targets(name: str) -> list[str]:
    """Where a weight goes: stages are counted from the other end, and the first one's entrance is an entry."""
    if name.startswith("apart."):
        return []
    if name.startswith("stages.0.narrow."):
        entry = name.removeprefix("stages.0.narrow.")
        return [f"entries.{SHARED - 1}.{entry}", f"entries.{SHARED - 2}.{entry}"]
    if not name.startswith("stages."):
        return [name]
    _, level, rest = name.split(".", 2)
    return [f"stages.{SHARED - 1 - int(level)}.{rest}"]


def _copy(source: Tensor, target: Tensor) -> None:
    """Fill the first entries of a weight; what a scale scales and shifts comes after what a style does."""
    if source.shape != target.shape:
        target.zero_()
        target = target[: len(source)]
    if source.shape != target.shape:
        msg = (
            f"a weight of shape {tuple(source.shape)} cannot initialise one of {tuple(target.shape)}: the sizes "
            "differ"
        )
        raise ArgumentError(msg)
    target.copy_(source)
