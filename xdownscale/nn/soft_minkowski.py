r"""Minkowski functionals with gradients: those of level sets, averaged over thresholds near a given one.

With s = σ((v − u)/τ), σ the logistic function, the soft functionals are the sums of ``kernels.minkowski`` with s in the
place of 0 and 1, and the smaller of two in the place of "and" (Gödel logic). They are no approximation of unknown
quality:

    F(s) = ∫ F({v ≥ u'}) k_τ(u' − u) du' ,   k_τ the logistic density of scale τ ,

the exact functionals averaged over thresholds that are spread about u. For F is a sum of minima of values of s, every
s is ∫ 1[s ≥ λ] dλ, and min(1[a ≥ λ], 1[b ≥ λ]) = 1[min(a, b) ≥ λ] (layer cake). Products in the place of minima do not
have this, and are far off: they count a set where every cell is in it by half as many pieces.

So a functional of v by itself is blurred along thresholds alone, and that of a forecast and of the truth at one τ are
blurred alike: their difference is zero where the fields are equal, whatever τ.

σ increases, so min(σ(a), σ(b)) = σ(min(a, b)): fields are compared with their neighbours once for all thresholds, and
what remains are sums of σ((m − u)/τ), with gradients σ'((m − u)/τ)/τ that are taken anew in the backward pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from xdownscale.kernels.minkowski import Measure, minima

if TYPE_CHECKING:
    from torch import Tensor


def soft_functionals(
    field: Tensor, thresholds: Tensor, temperature: float | Tensor, measure: Measure | None = None
) -> Tensor:
    """Area, perimeter and Euler characteristic of level sets, with gradients.

    Parameters
    ----------
    field : Tensor, shape (..., H, W)
        Finite values. Those of half precision are taken to single: sums of many cells need it, under autocast too.
    thresholds : Tensor, shape (Q,)
        In the units of the field.
    temperature : float or Tensor, shape (Q,)
        Scale of the logistic distribution of thresholds, in the units of the field. Above 0.
    measure : Measure, optional
        As in :func:`xdownscale.kernels.minkowski.minkowski_functionals`; cells must be of one size.

    Returns
    -------
    Tensor, shape (..., Q, 3)
        Beyond the frame nothing belongs to a set.

    Examples
    --------
    >>> field = torch.zeros(6, 6)
    >>> field[2:4, 2:4] = 2.0
    >>> soft_functionals(field, torch.tensor([1.0]), 0.1, Measure("edges")).round(decimals=2)
    tensor([[4., 8., 1.]])
    """
    with torch.autocast(field.device.type, enabled=False):
        field = field.float() if field.dtype in (torch.float16, torch.bfloat16) else field
        u = thresholds.to(field)
        tau = torch.as_tensor(temperature, dtype=field.dtype, device=field.device).expand(u.shape)
        # the weight of a kind of neighbour is the same in every row: that of the first of two holds for all
        table = torch.as_tensor((measure or Measure()).weights(2)[..., 0]).to(field)
        result = field.new_zeros(())
        for array, weights in zip(minima(field), table.T, strict=True):
            if array.numel() and bool(weights.any()):
                result = result + _Survivors.apply(array, u, tau)[..., None] * weights
        return result


class _Survivors(torch.autograd.Function):
    """Sums over the last two axes of σ((m − u)/τ), for every u; thresholds have no gradient."""

    @staticmethod
    def forward(context: Any, values: Tensor, thresholds: Tensor, temperature: Tensor) -> Tensor:
        context.save_for_backward(values, thresholds, temperature)
        flat = values.flatten(-2)
        sums = [
            torch.sigmoid((flat - u) / tau).sum(-1) for u, tau in zip(thresholds, temperature, strict=True)
        ]
        return torch.stack(sums, dim=-1)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        values, thresholds, temperature = context.saved_tensors
        total = torch.zeros_like(values)
        for u, tau, gradient in zip(thresholds, temperature, gradients[0].unbind(-1), strict=True):
            s = torch.sigmoid((values - u) / tau)
            total += s.mul_(1 - s).mul_((gradient / tau)[..., None, None])
        return total, None, None
