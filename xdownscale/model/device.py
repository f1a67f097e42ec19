"""Where networks run, and in which precision."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch

from xdownscale.errors import FactorError

Network = TypeVar("Network", bound=torch.nn.Module)


def chosen_device(device: str) -> str:
    """The torch device that "auto" stands for here, or the one that was named.

    Parameters
    ----------
    device : str
        "auto" takes a GPU if there is one.

    Raises
    ------
    FactorError
        For a device on which nothing can be computed here.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        place = torch.device(device)
        torch.zeros(1, device=place).cpu()
    except (RuntimeError, NotImplementedError, AssertionError, TypeError, ValueError) as cause:
        there = 'device="auto", device="cpu"' + (' or device="cuda"' if torch.cuda.is_available() else "")
        msg = f"device={device!r} cannot be computed on here ({str(cause).splitlines()[0]}). Pass {there}."
        raise FactorError(msg) from cause
    return str(place)


def on_device(network: Network, device: str) -> Network:
    """The network on a device: itself if it is there, otherwise a copy whose weights lie there and nowhere else.

    Parameters
    ----------
    network : Module
        Left where it is.
    device : str
        A torch device.
    """
    place = torch.device(device)
    tensors = [*network.parameters(), *network.buffers()]
    if all(each.device.type == place.type and place.index in (None, each.device.index) for each in tensors):
        return network
    moved = {id(each): each.detach().to(place) for each in network.buffers()}
    moved |= {
        id(each): torch.nn.Parameter(each.detach().to(place), requires_grad=each.requires_grad)
        for each in network.parameters()
    }
    return copy.deepcopy(network, dict(moved))


def half_helps(device: torch.device) -> bool:
    """Whether bfloat16 convolutions are faster here: on GPUs that have them, and on CPUs with bf16 matrix units.

    Parameters
    ----------
    device : torch.device
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16", False))
