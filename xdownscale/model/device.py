"""Where networks run, and in which precision."""

from __future__ import annotations

import torch


def chosen_device(device: str) -> str:
    """The torch device that "auto" stands for here, or the one that was named.

    Parameters
    ----------
    device : str
        "auto" takes a GPU if there is one.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


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
