"""Weights to start from: those of another generator, as far as they fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from xdownscale.models.generator import Generator


def start_from(method: Generator, given: Generator) -> None:
    """Copy weights by name, in place.

    A network without noise takes the inputs that it shares with one that has noise, which come first. The style of a
    product that `given` does not know starts at its default.

    Parameters
    ----------
    method : Generator
        Takes the weights.
    given : Generator
        Has them; factors and sizes agree.
    """
    known = given.state_dict()
    state = method.state_dict()
    with torch.no_grad():
        for name, value in state.items():
            if name in known and name != "styles":
                value.copy_(_leading(known[name], value))
        for row, product in enumerate(method.settings.styles):
            state["styles"][row] = given.style(product if product in given.settings.styles else None)


def _leading(source: Tensor, target: Tensor) -> Tensor:
    """The part of `source` that has the shape of `target`, from the first entry of every axis."""
    return source[tuple(slice(size) for size in target.shape)]
