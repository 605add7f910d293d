"""LightGCN: user and item vectors smoothed over the graph of who interacted with what.

Shapes: `B` users in a batch, `U` users, `I` items, `D` width of the vectors, `K` layers, `nnz` edges of the graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from recodiff.data.interactions import Interactions
from recodiff.models.factors.embeddings import FactorModel, FactorNet, Factors, FactorsConfig
from recodiff.runtime.run import Run
from recodiff.tensors.random import keep_mask
from recodiff.tensors.rows import Rows


class LightGCNConfig(FactorsConfig):
    """Settings of LightGCN."""

    layers: int = Field(default=3, ge=1, le=1000)
    """K, how often the vectors are passed along the edges."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the edges that is left out at a training step."""


@dataclass(frozen=True)
class Edges:
    """The normalised graph, seen from both sides; each holds the transpose of the other.

    Args:
        to_users: what users take from items, [U, I].
        to_items: what items take from users, [I, U].
    """

    to_users: Rows
    to_items: Rows

    def step(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """One layer: the vectors [U, D] and [I, D] that the neighbours send.

        Args:
            users: [U, D].
            items: [I, D].
        """
        return self.to_users.matmul(items), self.to_items.matmul(users)

    def mean_of_layers(self, users: Tensor, items: Tensor, layers: int) -> tuple[Tensor, Tensor]:
        """The mean (1 + A + ... + A^K) / (K + 1) on the vectors of all users and items, A being `step`.

        Args:
            users: [U, D].
            items: [I, D].
            layers: K, 0 or more.
        """
        sums = users.clone(), items.clone()
        for _ in range(layers):
            users, items = self.step(users, items)
            sums[0].add_(users)
            sums[1].add_(items)
        return sums[0].div_(layers + 1), sums[1].div_(layers + 1)


class _MeanOfLayers(torch.autograd.Function):
    """`Edges.mean_of_layers`. A is symmetric, so the gradient passes through the same operator and nothing is kept for it."""

    @staticmethod
    def forward(ctx: Any, users: Tensor, items: Tensor, edges: Edges, layers: int) -> tuple[Tensor, Tensor]:
        ctx.edges, ctx.layers = edges, layers
        return edges.mean_of_layers(users, items, layers)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return *ctx.edges.mean_of_layers(grads[0], grads[1], ctx.layers), None, None


class Graph(nn.Module):
    """The graph of interactions; an edge weighs w_ui / sqrt(d_u d_i), the degrees d being sums of weights.

    Args:
        interactions: the weighted interactions, [U, I].
    """

    user_offsets: Tensor
    items: Tensor
    item_offsets: Tensor
    users: Tensor
    order: Tensor
    values: Tensor
    item_scale: Tensor

    def __init__(self, interactions: Rows) -> None:
        super().__init__()
        row = interactions.row_of()
        order = interactions.columns.argsort(stable=True)
        degrees = interactions.values.new_zeros(interactions.width).index_add(0, interactions.columns, interactions.values)
        scale = (interactions.sums()[row] * degrees[interactions.columns]).rsqrt()
        parts = {
            "user_offsets": interactions.offsets,
            "items": interactions.columns,
            "item_offsets": torch.cat(
                [order.new_zeros(1), torch.bincount(interactions.columns, minlength=interactions.width).cumsum(0)]
            ),
            "users": row[order],
            "order": order,
            "values": torch.where(interactions.values > 0, interactions.values * scale, 0.0),
            "item_scale": torch.where(degrees > 0, degrees.rsqrt(), 0.0),
        }
        for name, tensor in parts.items():
            self.register_buffer(name, tensor, persistent=False)

    def edges(self, dropout: float = 0.0, generator: torch.Generator | None = None) -> Edges:
        """The graph, or what dropout leaves of it: both directions of an edge go together.

        Args:
            dropout: in [0, 1).
            generator: of dropout; there is none without it.
        """
        values = self.values
        if generator is not None and dropout:
            values = values * keep_mask((1, len(values)), dropout, values, generator)[0] / (1 - dropout)
        return Edges(
            Rows(self.user_offsets, self.items, values, len(self.item_offsets) - 1),
            Rows(self.item_offsets, self.users, values[self.order], len(self.user_offsets) - 1),
        )


class LightGCNNet(FactorNet):
    """The mean of the vectors after 0..K layers; only the vectors of layer 0 are learned."""

    bias: Tensor

    def __init__(self, graph: Graph, config: LightGCNConfig, generator: torch.Generator) -> None:
        super().__init__(len(graph.user_offsets) - 1, len(graph.item_offsets) - 1, config, generator)
        self.graph, self.layers, self.dropout = graph, config.layers, config.dropout
        self.share = 1 / (config.layers + 1)
        self.register_buffer("bias", torch.zeros(len(graph.item_offsets) - 1), persistent=False)
        self._brought: Tensor | None = None

    def train(self, mode: bool = True) -> Self:
        """See `FactorNet`."""
        self._brought = None
        return super().train(mode)

    def compute(self, generator: torch.Generator | None = None) -> Factors:
        """See `FactorNet`; dropout is that of the edges."""
        edges = self.graph.edges(self.dropout, generator)
        users, items = _MeanOfLayers.apply(self.users, self.items, edges, self.layers)  # pyright: ignore[reportGeneralTypeIssues]
        return Factors(users, items, self.bias)

    @torch.no_grad()
    def received(self, history: Rows) -> Tensor:
        """The layers 1..K of the histories' users over K + 1, [B, D]: they come from the items, as for a user of the graph."""
        if self._brought is None:
            _, items = self.graph.edges().mean_of_layers(self.users, self.items, self.layers - 1)
            self._brought = items * self.graph.item_scale[:, None] * (self.layers * self.share)
        return history.matmul(self._brought) * history.sums().rsqrt()[:, None]


class LightGCN(FactorModel):
    """He et al., *LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation*, SIGIR 2020.

    e_u^(k+1) = sum over the items i of u of e_i^(k) / sqrt(|N_u| |N_i|), and the same for items over their users;
    e = sum_k e^(k) / (K + 1), s_ui = e_u . e_i, and for each interaction (u, i) and items j that u has not interacted with

        -log sigma(s_ui - s_uj) + lambda/2 (|e_u^(0)|^2 + |e_i^(0)|^2 + |e_j^(0)|^2)

    The whole graph is passed over once for each batch of users, all interactions of whom are learned from together. A
    weighting that is on the fit weights the edges and the comparisons. An unseen user is no node of the graph: the items'
    layers stay as they are, and the unseen user's layers 1..K are made from them.
    """

    Config = LightGCNConfig

    def derive(self, train: Interactions, run: Run) -> dict[str, Tensor]:
        """The graph."""
        x = self.config.weighting.for_fit(train).matrix
        columns, weights = torch.tensor(x.indices.astype(np.int32)), torch.tensor(x.data)
        return {"offsets": torch.tensor(x.indptr.astype(np.int64)), "columns": columns, "weights": weights}

    def build(self, n_items: int, generator: torch.Generator) -> LightGCNNet:
        """See `TorchRecommender`."""
        interactions = Rows(self.derived["offsets"], self.derived["columns"].long(), self.derived["weights"], n_items)
        return LightGCNNet(Graph(interactions), self.config, generator)
