"""Where networks run, and in which precision."""

from __future__ import annotations

import copy
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import torch

from xdownscale.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterator

Network = TypeVar("Network", bound=torch.nn.Module)

_CASTS = threading.Lock()
"""Held by the thread that works in half precision: torch keeps the casts of all threads in one place, and drops all of
them when any thread is done, which changes how the gradient of another one is rounded."""


def chosen_device(device: str) -> str:
    """The torch device that "auto" stands for here, or the one that was named.

    Parameters
    ----------
    device : str
        "auto" takes a GPU if there is one.

    Raises
    ------
    DeviceError
        If nothing can be computed on it.

    Examples
    --------
    >>> chosen_device("cpu")
    'cpu'
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=torch.device(device)).item()
    except (AssertionError, AttributeError, ImportError, RuntimeError, TypeError, ValueError) as cause:
        msg = (
            f"device={device!r} cannot be used here ({str(cause).splitlines()[0]}). Available: "
            f'{", ".join(devices())}. Pass one of these, or device="auto".'
        )
        raise DeviceError(msg) from cause
    return str(device)


def devices() -> list[str]:
    """Names of what can be computed on."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return ["cpu", *(f"cuda:{n}" for n in range(count)), *["mps"] * torch.backends.mps.is_available()]


@contextmanager
def half_precision(device: torch.device) -> Iterator[None]:
    """Convolutions in bfloat16 where it helps, one thread at a time.

    Parameters
    ----------
    device : torch.device
    """
    if not half_helps(device):
        yield
        return
    with _CASTS, torch.autocast(device.type, torch.bfloat16):
        yield


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
