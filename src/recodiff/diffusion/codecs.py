"""Codecs, which turn item rows into the vectors that are diffused, and back.

Shapes: `B` rows in a batch, `I` items, `D` width of the diffused vector, `C` clusters, `n_c` items and `d_c` latent
numbers of cluster c. Items stand in catalogue order outside a codec, whatever order it keeps inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from recodiff.errors import ConfigError
from recodiff.tensors.gram import squared_distance
from recodiff.tensors.losses import kl_from_standard_normal
from recodiff.tensors.networks import MLP, Activation, Pointwise, RowLinear, linears
from recodiff.tensors.random import normal_like
from recodiff.tensors.rows import Rows

Decoder = Literal["shared", "per_cluster"]
Target = Literal["dropped", "whole"]


@dataclass(frozen=True)
class Code:
    """An encoded batch.

    Args:
        z: the vectors that are diffused, [B, D] dense or sparse.
        x: the rows that a decoder should reconstruct, [B, I].
        kl: KL divergence of each row's code from the prior, [B], or None where the codec has none.
    """

    z: Rows | Tensor
    x: Rows
    kl: Tensor | None = None


class Codec(Protocol):
    """A map from item rows to the vectors that are diffused, and back."""

    def encode(self, x: Rows, generator: torch.Generator | None = None) -> Code:
        """The code of rows.

        Args:
            x: [B, I].
            generator: draws what is random in training.
        """
        ...

    def decode(self, z: Tensor) -> Tensor:
        """Scores of diffused vectors, [B, I].

        Args:
            z: vectors [B, D], D the codec's width.
        """
        ...

    @property
    def item_layer(self) -> nn.Linear | None:
        """The linear layer that alone makes scores of all items from z; None where decoding is anything else."""
        ...


class IdentityCodec(nn.Module):
    """DiffRec's and T-DiffRec's: the row itself is diffused, D = I."""

    def encode(self, x: Rows, generator: torch.Generator | None = None) -> Code:
        """The rows as they are.

        Args:
            x: rows [B, I].
            generator: not used.
        """
        return Code(x, x)

    def decode(self, z: Tensor) -> Tensor:
        """The vector as it is.

        Args:
            z: [B, I].
        """
        return z

    @property
    def item_layer(self) -> nn.Linear | None:
        """None: nothing is multiplied."""
        return None


class ClusteredVAE(nn.Module):
    """L-DiffRec's and LT-DiffRec's, section 2.2 of the paper: one variational encoder per cluster of items.

    The encoder of cluster c gives q(z^c | x^c) = N(mu, diag(exp(logvar))) from the cluster's columns; z = [z^1, .., z^C].
    Training draws z, ranking takes mu. As released, the activation follows every layer of an encoder, the last included, so mu
    and logvar lie in (-1, 1). The whole row first loses a share of its entries to dropout.

    Args:
        clusters: the cluster of each item, int64 [I], every number of 0..C-1 used.
        latent: D, split among the clusters in proportion to their sizes.
        hidden: hidden widths of the encoders, shared in the same way; none as released.
        decoder: `shared`, one decoder D -> I as released; or `per_cluster`, an own one d_c -> n_c for each cluster, as the
            paper has it, with the encoder's hidden widths in reverse.
        decoder_hidden: hidden widths of a shared decoder; none as released, which makes it linear.
        activation: of encoders and decoders.
        dropout: share of a row's entries removed from the encoders' input in training, in [0, 1).
        target: the row that a decoder should reconstruct, as `dropped` or the `whole` one.
        generator: draws the initial weights.

    Raises:
        ConfigError: the latent has fewer numbers than there are clusters, or per-cluster decoders are given hidden widths.
    """

    places: Tensor
    """For each cluster the place of every item in it, -1 for the items of others; int64 [C, I]."""
    order: Tensor
    """Where each item of the catalogue stands when the clusters are laid one after another; int64 [I]."""

    def __init__(
        self,
        clusters: Tensor,
        latent: int,
        *,
        hidden: Sequence[int] = (),
        decoder: Decoder = "shared",
        decoder_hidden: Sequence[int] = (),
        activation: Activation = "tanh",
        dropout: float = 0.1,
        target: Target = "dropped",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if decoder == "per_cluster" and decoder_hidden:
            raise ConfigError("per-cluster decoders mirror the encoders' hidden widths; leave decoder_hidden empty")
        members = [torch.nonzero(clusters == c).flatten() for c in range(int(clusters.max()) + 1)]
        sizes = [len(of) for of in members]
        widths = [in_proportion(width, sizes) for width in (*hidden, latent)]
        self.register_buffer("places", _places(members), persistent=False)
        self.register_buffer("order", torch.argsort(torch.cat(members)), persistent=False)
        self.sizes, self.dropout, self.target, self.decoder_kind = sizes, dropout, target, decoder
        self.latents = widths[-1]
        within = [[layer[c] for layer in widths] for c in range(len(sizes))]
        act = partial(Pointwise, activation)
        self.encoders = nn.ModuleList()
        for n, own in zip(sizes, within, strict=True):
            shape = [*own[:-1], 2 * own[-1]]
            layers = [RowLinear(n, shape[0], generator, "xavier"), *linears(shape, generator, "xavier")]
            self.encoders.append(nn.Sequential(MLP(layers, act), act()))
        shapes = [[latent, *decoder_hidden, len(clusters)]]
        if decoder == "per_cluster":
            shapes = [[*reversed(own), n] for n, own in zip(sizes, within, strict=True)]
        self.decoders = nn.ModuleList(MLP(linears(shape, generator, "xavier"), act) for shape in shapes)

    def encode(self, x: Rows, generator: torch.Generator | None = None) -> Code:
        """See `Codec`; z is drawn from q(z | x) in training, and is its mean otherwise."""
        whole = x
        if self.training and self.dropout > 0:
            assert generator is not None
            x = x.drop(self.dropout, generator)
        goal = whole if self.target == "whole" else x
        own = [x.pick(place, n) for place, n in zip(self.places, self.sizes, strict=True)]
        halves = [encoder(rows).chunk(2, 1) for encoder, rows in zip(self.encoders, own, strict=True)]
        mu, logvar = (torch.cat(parts, 1) for parts in zip(*halves, strict=True))
        kl = kl_from_standard_normal(mu, logvar)
        if not self.training:
            return Code(mu, goal, kl)
        return Code(mu + (0.5 * logvar).exp() * normal_like(mu, generator), goal, kl)

    def decode(self, z: Tensor) -> Tensor:
        """See `Codec`; in catalogue order."""
        if self.decoder_kind == "shared":
            return self.decoders[0](z)
        own = z.split(self.latents, 1)
        return torch.cat([decoder(part) for decoder, part in zip(self.decoders, own, strict=True)], 1)[:, self.order]

    def squared_error(self, z: Tensor, x: Rows, seen: Rows | None = None) -> Tensor:
        """The squared error sum_j (decode(z)_j - x_j)^2 over the unseen items, without decoding; see `gram.squared_distance`.

        Args:
            z: [B, D].
            x: the rows to be reconstructed, [B, I].
            seen: entries left out of the sum.

        Returns:
            [B].
        """
        if self.decoder_kind == "shared":
            return _squared_error(self.decoders[0], z, x, seen)
        own = zip(self.decoders, z.split(self.latents, 1), self.places, self.sizes, strict=True)
        parts = [_squared_error(d, part, x.pick(at, n), None if seen is None else seen.pick(at, n)) for d, part, at, n in own]
        return torch.stack(parts).sum(0)

    @property
    def item_layer(self) -> nn.Linear | None:
        """The decoder, where it is one linear layer of all items."""
        first, *more = self.decoders
        assert isinstance(first, MLP)
        last = first.last
        alone = self.decoder_kind == "shared" and not more and not len(first.body)
        return last if alone and isinstance(last, nn.Linear) else None


def _squared_error(decoder: nn.Module, z: Tensor, x: Rows, seen: Rows | None) -> Tensor:
    assert isinstance(decoder, MLP)
    last = decoder.last
    assert isinstance(last, nn.Linear)
    return squared_distance(last.weight, last.bias, decoder.hidden(z), x, seen)


def in_proportion(width: int, sizes: Sequence[int]) -> list[int]:
    """Split a width among clusters in proportion to their sizes, at least 1 each; the last takes the rest.

    Args:
        width: the sum of the shares.
        sizes: items in each cluster.

    Raises:
        ConfigError: nothing is left for the last cluster.
    """
    shares = [max(1, width * n // sum(sizes)) for n in sizes[:-1]]
    if sum(shares) >= width:
        raise ConfigError(f"a width of {width} cannot be shared among {len(sizes)} clusters; give more width or fewer clusters")
    return [*shares, width - sum(shares)]


def _places(members: Sequence[Tensor]) -> Tensor:
    places = torch.full((len(members), sum(map(len, members))), -1)
    for place, of in zip(places, members, strict=True):
        place[of] = torch.arange(len(of))
    return places
