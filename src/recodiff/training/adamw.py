"""AdamW (Loshchilov & Hutter, ICLR 2019), PyTorch's own, on weights as they lie in memory."""

from __future__ import annotations

from typing import Any

import torch


class AdamW(torch.optim.AdamW):
    """The optimizer `torch.optim.AdamW` that takes a matrix whose columns lie one after another by its transpose.

    The fused kernel of a CPU copies such a matrix's gradient row by row before it begins. At [200, 94,949], the first layer of a
    denoiser, a step takes five times as long as on the transpose, and the copy's memory. An update is entry by entry, so that it
    is the same either way. Arguments are those of `torch.optim.AdamW`.
    """

    def _init_group(
        self,
        group: dict[str, Any],
        params_with_grad: list[Any],
        grads: list[Any],
        exp_avgs: list[Any],
        exp_avg_sqs: list[Any],
        max_exp_avg_sqs: list[Any],
        state_steps: list[Any],
    ) -> bool:
        """Gathers weights, gradients and averages of a group into the lists, each in the same order."""
        found = super()._init_group(group, params_with_grad, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, state_steps)
        for number, weight in enumerate(params_with_grad):
            for own in (grads, exp_avgs, exp_avg_sqs):  # the fused kernel takes for granted that they lie as the weight does
                if own[number].stride() != weight.stride():
                    assert own is grads
                    own[number] = torch.empty_like(weight).copy_(own[number])
            if weight.dim() == 2 and not weight.is_contiguous() and weight.T.is_contiguous():
                for own in (params_with_grad, grads, exp_avgs, exp_avg_sqs):
                    own[number] = own[number].T
        return found
