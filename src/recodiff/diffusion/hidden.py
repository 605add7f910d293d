"""Ranking and training between the hidden layers, without arrays of users x items.

Shapes: `B` rows in a batch, `D` width of the diffused vector, `h1` and `hL` first and last hidden widths, `T` steps.

The chain has the scores of `Diffusion.denoise` from one pass over the items. The first layer is z = W x + U e_t + b and the last
x0_hat = V g + c. Between the hidden layers the deterministic chain x_{t-1} = c1_t f(x_t, t) + c2_t x_t is linear. So y = W x can
be carried in place of x:

    y_T     = W x_T
    y_{t-1} = c1_t (M g_t + W c) + c2_t y_t,   g_t = hidden(y_t + U e_t + b),   M = W V  [h1, hL]
    x_0     = V g_1 + c                        since c1_1 = 1 and c2_1 = 0

The squared loss of x0 prediction, its target sparse and the last layer linear, needs V'V [hL, hL] and the batch's entries
(`gram.squared_distance`). The first layer sees W x_t = sqrt(alpha_bar_t) W x_0 + sqrt(1 - alpha_bar_t) W eps. That is sparse rows
times W, and a Gaussian of covariance W W' [h1, h1] that is drawn there.

All of these are sums over items. Where processes share the items (`denoiser.items`, see `tensors.sharding`), each makes its terms.
"""

from __future__ import annotations

import torch
from torch import Tensor

from recodiff.diffusion.denoisers import MLPDenoiser
from recodiff.diffusion.diffusion import Diffusion
from recodiff.moved import old_names
from recodiff.tensors import gram
from recodiff.tensors.losses import unrounded
from recodiff.tensors.products import inner_products
from recodiff.tensors.random import normal_like
from recodiff.tensors.rows import Rows


def holds(diffusion: Diffusion, *, noise_steps: int = 0, sampling_noise: bool = False) -> bool:
    """Tell whether the hidden-space chain equals the plain one: x_0 prediction, no noise while ranking, input not normalised.

    Args:
        diffusion: as it was built.
        noise_steps: T', 0..T.
        sampling_noise: whether noise is drawn while ranking.
    """
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
        self.denoiser, self.process, self.items = net, diffusion.process, net.items
        self.first_t = net.first.weight.T.contiguous()  # W' [D, h1]: rows of it are summed for sparse input
        self.between_t = self.items.add_up(net.first.weight @ net.last.weight).T.contiguous()  # M' [hL, h1]
        self.shift = self.items.add_up(net.first.weight @ net.last.bias)  # W c [h1]
        steps = torch.arange(diffusion.steps, device=self.shift.device)
        self.step_bias = net.step_bias(steps) + net.first.bias  # [T, h1]
        self.c1, self.c2 = self.process.posterior_x0.tolist(), self.process.posterior_x_t.tolist()

    @torch.no_grad()
    def user_vectors(self, x0: Rows | Tensor) -> Tensor:
        """The vectors g_1 [B, hL] for which x_0 = V g_1 + c.

        Args:
            x0: histories [B, D].
        """
        y = self.items.add_up(self.items.own(x0).matmul(self.first_t) if isinstance(x0, Rows) else x0 @ self.first_t)
        c1, c2 = self.c1, self.c2
        for t in reversed(range(1, len(c1))):
            g = self.denoiser.hidden(y + self.step_bias[t])
            y.mul_(c2[t]).add_(self.shift, alpha=c1[t]).addmm_(g, self.between_t, alpha=c1[t])
        return self.denoiser.hidden(y + self.step_bias[0])

    @torch.no_grad()
    def denoise(self, x0: Rows | Tensor) -> Tensor:
        """The chain's x_0, [B, D] or the columns of the items that are here.

        Args:
            x0: histories [B, D].
        """
        last = self.denoiser.last
        return inner_products(self.user_vectors(x0), last.weight, last.bias)


class HiddenPath:
    """Training without [B, D]: the squared loss through V'V, the multinomial one by blocks of rows, the noise drawn after the
    first layer.

    Without noise, loss and gradients are those of `DensePath` to rounding. The noise has the law it has there, W eps being
    Gaussian of covariance W W', and its gradient goes through the Cholesky factor; it is other numbers of that law.
    With dropout, the entries that a row has are dropped exactly, and the noise is Gaussian of covariance W W' / (1 - p). Mean and
    covariance are the dense one's, though there it is a mixture, and shares the mask with the row's own entries.
    """

    def distance(
        self,
        diffusion: Diffusion,
        source: Rows | Tensor,
        target: Rows | Tensor | None,
        seen: Rows | None,
        t: Tensor,
        noise: Tensor | None,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor | None]:
        """See `LossPath`; rows come sparse, and `noise` is the projection W eps [B, h1] before dropout."""
        assert isinstance(source, Rows)
        assert target is None or isinstance(target, Rows)
        net, process, items = diffusion.denoiser, diffusion.process, diffusion.denoiser.items
        p = diffusion.dropout if diffusion.training else 0.0
        table, draws = net.first.weight.T, process.has_noise and noise is None
        y, covariance = gram.rows_and_gram(table, items.own(source.drop(p, generator) if p else source), covariance=draws)
        y = items.add_up(y)
        if covariance is not None:
            root = gram.factor(items.add_up(covariance))
            with gram.exactly(y):
                noise = normal_like(y, generator) @ root.T
        z = y if noise is None else process.q_sample(y, t, noise / (1 - p) ** 0.5)
        g = unrounded(net.hidden(z + net.first.bias + net.step_bias(t)))
        goal, g = source if target is None else target, items.hand_out(g)
        sampling = generator if diffusion.training else None
        loss = diffusion.distance.behind_linear
        return loss(g, net.last.weight, net.last.bias, goal, seen, items=items, sampling=sampling), None


def trains(diffusion: Diffusion) -> str | None:
    """The reason why the loss cannot be computed in the hidden space; None where it can, for sparse rows.

    Args:
        diffusion: as it was built.
    """
    net = diffusion.denoiser
    if diffusion.prediction != "x0":
        return "it needs diffusion.prediction='x0'"
    if net.normalise:
        return "it needs denoiser.normalise=false"
    if diffusion.process.has_noise and net.width < net.first.out_features:
        return f"{net.width} items are fewer than the {net.first.out_features} numbers of the first hidden layer"
    return None


def pays(diffusion: Diffusion, batch: int) -> bool:
    """Tell whether the hidden space costs less arithmetic per item than the dense: 4 (h1^2 + hL^2) < B (4 h1 + 6 hL).

    Without noise there is no W W' to form, and h1^2 goes; the multinomial loss costs the last layer alike in both.

    Args:
        diffusion: whose denoiser has the widths.
        batch: B, 1 or more.
    """
    first, last = diffusion.denoiser.first.out_features, diffusion.denoiser.last.in_features
    if diffusion.distance.softmax:
        last = 0
    own = 4 * (diffusion.process.has_noise * first**2 + last**2)
    return own < batch * (4 * first + 6 * last)


def lay_out_by_item(net: MLPDenoiser) -> None:
    """Store W item by item, as its products with sparse rows read it; shape and values stay.

    Args:
        net: whose first layer is laid out, in place.
    """
    net.first.weight.data = net.first.weight.data.T.contiguous().T


__getattr__ = old_names(__name__)
