"""The reverse chain without item-sized vectors: the same scores as `Diffusion.denoise`, from one pass over the items.

Shapes: `B` rows in a batch, `D` width of the diffused vector, `h1` and `hL` first and last hidden widths, `T` steps.

With z = W x + U e_t + b the first layer and x0_hat = V g + c the last, the deterministic chain
x_{t-1} = c1_t f(x_t, t) + c2_t x_t is linear between the hidden layers, so y = W x can be carried in place of x:

    y_T     = W x_T
    y_{t-1} = c1_t (M g_t + W c) + c2_t y_t,   g_t = hidden(y_t + U e_t + b),   M = W V  [h1, hL]
    x_0     = V g_1 + c                        since c1_1 = 1 and c2_1 = 0
"""

from __future__ import annotations

import torch
from torch import Tensor

from recodiff.diffusion.diffusion import Diffusion
from recodiff.diffusion.rows import Rows


def holds(diffusion: Diffusion, *, noise_steps: int = 0, sampling_noise: bool = False) -> bool:
    """Whether the hidden-space chain equals the plain one: x_0 prediction, no noise while ranking, input not normalised."""
    return diffusion.prediction == "x0" and not diffusion.denoiser.normalise and noise_steps == 0 and not sampling_noise


class HiddenChain:
    """The reverse chain of one trained diffusion, its item-sized products made once.

    Holds copies of products of the weights: make a new one after the weights change.

    Args:
        diffusion: one for which `holds` is true.
    """

    @torch.no_grad()
    def __init__(self, diffusion: Diffusion) -> None:
        net = diffusion.denoiser
        self.denoiser, self.process = net, diffusion.process
        self.first_t = net.first.weight.T.contiguous()  # W' [D, h1]: rows of it are summed for sparse input
        self.between_t = (net.first.weight @ net.last.weight).T.contiguous()  # M' [hL, h1]
        self.shift = net.first.weight @ net.last.bias  # W c [h1]
        steps = torch.arange(diffusion.steps, device=self.shift.device)
        self.step_bias = net.step_bias(steps) + net.first.bias  # [T, h1]

    @torch.no_grad()
    def user_vectors(self, x0: Rows | Tensor) -> Tensor:
        """g_1 [B, hL] of histories [B, D]: x_0 = V g_1 + c."""
        y = x0.matmul(self.first_t) if isinstance(x0, Rows) else x0 @ self.first_t
        c1, c2 = self.process.posterior_x0.tolist(), self.process.posterior_x_t.tolist()
        for t in reversed(range(1, len(c1))):
            g = self.denoiser.hidden(y + self.step_bias[t])
            y.mul_(c2[t]).add_(self.shift, alpha=c1[t]).addmm_(g, self.between_t, alpha=c1[t])
        return self.denoiser.hidden(y + self.step_bias[0])

    @torch.no_grad()
    def denoise(self, x0: Rows | Tensor) -> Tensor:
        """The chain's x_0 [B, D] from histories [B, D]."""
        return self.denoiser.last(self.user_vectors(x0))
