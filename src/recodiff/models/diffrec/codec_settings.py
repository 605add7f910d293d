"""Settings of the codecs: what the DiffRec family diffuses, rows of items or their latent codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from recodiff.config import Added, BaseConfig, refuse
from recodiff.data.interactions import Interactions
from recodiff.diffusion.codecs import ClusteredVAE, Codec, Decoder, IdentityCodec, Target
from recodiff.diffusion.diffusion import Diffusion
from recodiff.models.diffrec.item_clusters import AnyEmbeddings, SvdEmbeddings, cluster
from recodiff.models.diffrec.networks import DiffRecNet, LatentDiffRecNet
from recodiff.runtime.run import Run
from recodiff.tensors.networks import Activation


class Identity(BaseConfig):
    """Rows themselves are diffused: DiffRec, T-DiffRec."""

    kind: Literal["identity"] = "identity"
    of_rows: ClassVar[bool] = True

    def width(self, n_items: int) -> int:
        """I, the width of what is diffused.

        Args:
            n_items: I.
        """
        return n_items

    def derive(self, train: Interactions, run: Run) -> dict[str, Tensor]:
        """Nothing.

        Args:
            train: what is learned from.
            run: its seed is that of random draws.
        """
        return {}

    def build(self, derived: Mapping[str, Tensor], generator: torch.Generator) -> Codec:
        """The codec.

        Args:
            derived: what `derive` gave.
            generator: of the initial weights.
        """
        return IdentityCodec()

    def net(self, derived: Mapping[str, Tensor], generator: torch.Generator, diffusion: Callable[[], Diffusion]) -> DiffRecNet:
        """The codec, made first, with the diffusion.

        Args:
            derived: what `derive` gave.
            generator: of the initial weights.
            diffusion: makes it, of this codec's width.
        """
        codec = self.build(derived, generator)
        return DiffRecNet(codec, diffusion())


class Clustered(BaseConfig):
    """A variational encoder per cluster of items, Eq. (15): L-DiffRec, LT-DiffRec. The rate and decay of `training` are the
    denoiser's; the codec has its own."""

    kind: Literal["clustered_vae"] = "clustered_vae"
    clusters: int = Field(default=2, ge=1)
    """C."""
    embeddings: AnyEmbeddings = SvdEmbeddings()
    """What items are clustered by; not needed where there is one cluster."""
    latent: int = Field(default=300, ge=1)
    """D, the width of what is diffused."""
    hidden: tuple[Annotated[int, Field(gt=0)], ...] = ()
    """Hidden widths of the encoders, shared among the clusters in proportion."""
    decoder: Decoder = "shared"
    """`shared`: one for all items, as released; `per_cluster`: the paper's."""
    decoder_hidden: tuple[Annotated[int, Field(gt=0)], ...] = ()
    """Hidden widths of the shared decoder."""
    likelihood: Annotated[Literal["multinomial", "gaussian"], Added()] = "multinomial"
    """p(x given z): the paper's `multinomial`, which needs every score of a batch; or `gaussian` of variance 1, whose squared
    error needs none (`gram.squared_distance`): for catalogues where users x items do not fit."""
    activation: Activation = "tanh"
    """Of encoders and decoders."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of a row's entries that is taken away from the encoders' input in training."""
    target: Annotated[Target, Added()] = "dropped"
    """What decoders are to give back: as released the row less what dropout took; or the `whole` row, as Eq. (15) has it."""
    lr: float = Field(default=1e-3, gt=0)
    """Learning rate of the codec; lr1 of the released settings."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled weight decay of the codec."""
    diffusion_weight: float = Field(default=0.03, ge=0)
    """lambda, what the loss of the diffusion counts at first."""
    diffusion_weight_min: float = Field(default=0.005, ge=0)
    """What lambda falls to."""
    anneal_epochs: int = Field(default=500, ge=0)
    """Epochs in which lambda would fall linearly to 0; 0 keeps it as it is."""
    kl_weight: float = Field(default=0.3, ge=0)
    """gamma, what the KL divergence counts in the end."""
    kl_anneal_steps: int = Field(default=200, ge=0)
    """gamma after n batches is n over this, until it reaches its weight; 0: the whole weight from the start."""
    of_rows: ClassVar[bool] = False

    @model_validator(mode="after")
    def _widths_can_be_shared(self) -> Self:
        if self.decoder == "per_cluster" and self.decoder_hidden:
            refuse("per-cluster decoders mirror the encoders' hidden widths; leave decoder_hidden empty")
        if (least := min((self.latent, *self.hidden))) < self.clusters:
            refuse(f"a width of {least} cannot be shared among {self.clusters} clusters; give more width or fewer clusters")
        return self

    def width(self, n_items: int) -> int:
        """D, the width of what is diffused.

        Args:
            n_items: I.
        """
        return self.latent

    def derive(self, train: Interactions, run: Run) -> dict[str, Tensor]:
        """The cluster of each item, int64 [I].

        Args:
            train: what is learned from.
            run: its seed is that of random draws.
        """
        if self.clusters == 1:
            return {"clusters": torch.zeros(train.n_items, dtype=torch.int64)}
        return {"clusters": cluster(self.embeddings.vectors(train, run), self.clusters, run.seed)}

    def build(self, derived: Mapping[str, Tensor], generator: torch.Generator) -> ClusteredVAE:
        """The codec.

        Args:
            derived: what `derive` gave.
            generator: of the initial weights.
        """
        return ClusteredVAE(
            derived["clusters"],
            self.latent,
            hidden=self.hidden,
            decoder=self.decoder,
            decoder_hidden=self.decoder_hidden,
            activation=self.activation,
            dropout=self.dropout,
            target=self.target,
            generator=generator,
        )

    def net(self, derived: Mapping[str, Tensor], generator: torch.Generator, diffusion: Callable[[], Diffusion]) -> DiffRecNet:
        """See `Identity`: with the joint loss of codec and diffusion."""
        codec = self.build(derived, generator)
        return LatentDiffRecNet(codec, diffusion(), self)

    def lambda_at(self, epoch: int) -> float:
        """The weight of the diffusion's loss after `epoch` epochs: max((1 - epoch / anneal_epochs) lambda, its minimum)."""
        left = 1 - epoch / self.anneal_epochs if self.anneal_epochs else 1.0
        return max(left * self.diffusion_weight, self.diffusion_weight_min)

    def gamma_at(self, step: int) -> float:
        """The weight of the KL divergence after `step` batches: min(step / kl_anneal_steps, gamma)."""
        return min(step / self.kl_anneal_steps, self.kl_weight) if self.kl_anneal_steps else self.kl_weight


AnyCodec = Annotated[Identity | Clustered, Field(discriminator="kind")]
