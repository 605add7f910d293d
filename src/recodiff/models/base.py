"""What every model is: learn from interactions, score histories.

Shapes: `B` users in a batch, `I` items.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from recodiff.config import BaseConfig, Settings
from recodiff.data.interactions import IdMap, Interactions, need_interactions
from recodiff.data.weighting import AnyWeighting, Uniform, Weighting
from recodiff.diffusion.hidden import HiddenChain
from recodiff.errors import ConfigError, ModelError
from recodiff.models.batch import Batch, ItemVectors
from recodiff.models.deprecated import OldFlag, keep_old_names, note_old_flags, with_old_flags
from recodiff.moved import old_names
from recodiff.runtime import distributed
from recodiff.runtime.float32 import fast_products
from recodiff.runtime.run import Run
from recodiff.runtime.work import Work
from recodiff.tensors.rows import Rows
from recodiff.tensors.sharding import Shard
from recodiff.training.metric_names import need_measured
from recodiff.training.traits import Traits


class Validate(Protocol):
    """A function from a model as it stands to its validation figures: what `fit` stops early by.

    `recodiff.Validation` is one. A function of your own serves as well: `fit(train, validate=lambda model: {"recall@20": ...})`.
    A figure that no metric of ours is has a name that begins with `own:`, such as `training.metric = "own:profit"`.
    """

    def __call__(self, model: Any, /) -> Mapping[str, float]:
        """The validation figures of a model.

        Args:
            model: the `Recommender` in training, which can score as it stands.

        Returns:
            Name -> figure, higher is better; among them the one that the model stops by (`training.metric`, `recall@20`).
        """
        ...


class ModelConfig(BaseConfig):
    """The settings that every model has."""

    weighting: AnyWeighting = Uniform()
    """How much each interaction counts, in fitting and in the history ranked from."""


class Recommender(ABC):
    """A model: `fit` learns from interactions, `score` judges items for histories.

    A model never masks or ranks; `ranking.recommend` does, for evaluation, command line and service alike. The history is
    always an argument, so a user never seen in training is no special case. A model that remembers users (see `traits`)
    serves an unseen user from the history, and a user of the training data from what it learned of that user. The
    constructor keeps the config and does nothing else; a second `fit` forgets the first.

    Args:
        config: the model's settings; its defaults unless given.
    """

    Config: ClassVar[type[ModelConfig]] = ModelConfig
    """Its settings; the base's unless a model has more."""
    personalised, item_vectors, remembers_users, shares_items = OldFlag(), OldFlag(), OldFlag(), OldFlag()
    order_aware, reads_order, seeded = OldFlag(), OldFlag(), OldFlag()
    old_flags: ClassVar[tuple[str, ...]] = ()
    """Those of them that a class or its bases define, as 0.1.0 had it."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        note_old_flags(cls)
        keep_old_names(cls)

    def __init__(self, config: ModelConfig | None = None) -> None:
        self.config: Any = config or self.Config()
        self.registered = f"{type(self).__module__}:{type(self).__qualname__}"
        """What `models.build` makes it from: its name in MODELS, or `module:Class`."""
        self._items: IdMap | None = None
        self.users = IdMap([])
        """The users it remembers, by the position of what it learned of them; empty unless it remembers users."""
        self.summary: dict[str, Any] = {}
        self.shard: Shard | None = None
        """Which items' weights are here, where processes share them; whatever uses the model is then called by all of them."""
        self.is_mapped = False
        """Whether the weights are a file's own pages, which other processes read too; see `load_mapped`."""

    @property
    def traits(self) -> Traits:
        """The traits of this model: by its settings, and for a mixture also by the shares that it learned."""
        return with_old_flags(self, self._traits())

    def _traits(self) -> Traits:
        """The traits by the settings. A model that has others returns `dataclasses.replace(super()._traits(), ...)`."""
        forecasts = getattr(getattr(self.config, "pairs", None), "needs_order", False)
        return Traits(order_aware=forecasts or self.config.weighting.needs_order)

    def components(self) -> Mapping[str, Recommender]:
        """The models that this one is made of, by name, in the order in which they are fitted; none unless it is a mixture."""
        return {}

    @property
    def history_views(self) -> Mapping[str, Weighting]:
        """Weightings under which the model reads a history beside `config.weighting`, by name; none unless a model names some."""
        return {}

    @property
    def validation_metrics(self) -> tuple[str, ...]:
        """The validation figures that fitting decides by, such as `recall@20`; none unless a model names some."""
        return ()

    def refit_settings(self) -> Settings:
        """The settings of a second fit without validation that should come out alike.

        What validation chose in the first fit, such as the number of epochs, is put in. The model must be fitted.
        """
        return self.config.model_dump()

    def work(self, train: Interactions) -> Work:
        """Estimate the work of a fit that no limit of time can end halfway, such as an inversion; none of training by epochs.

        Args:
            train: what would be learned from.
        """
        return sum((part.work(train) for part in self.components().values()), Work())

    @property
    def items(self) -> IdMap:
        """The catalogue, one external id per score.

        Raises:
            ModelError: the model is not fitted.
        """
        if self._items is None:
            raise ModelError(f"this {type(self).__name__} is not fitted yet; call fit() or load a model folder")
        return self._items

    def fit(self, train: Interactions, run: Run | None = None, *, validate: Validate | None = None) -> Self:
        """Learn from interactions, forgetting any earlier fit.

        Args:
            train: what to learn from.
            run: device, seed, folder and so on.
            validate: gives validation figures of the model as it stands; models that train by epochs stop early by them.

        Raises:
            DataError: `train` is no Interactions.
            ConfigError: `validate` cannot be called, or lacks a figure that the model decides by; or the run asks for what this
                model has not.
            ModelError: there is nothing to learn from, or training fails.
        """
        need_interactions(train, "train", "a part of a data folder, such as data.train")
        if validate is not None and not callable(validate):
            raise ConfigError(f"validate is of type {type(validate).__name__}; give validate=recodiff.Validation(data)")
        if (measured := getattr(validate, "metrics", None)) is not None:  # a `Validation`, not a function of a user's own
            need_measured(self.validation_metrics, measured)
        if train.nnz == 0:
            raise ModelError("there are no interactions to fit to; check the data's filters and split")
        run = run or Run()
        if run.shard == "items" and not self.traits.shares_items:
            raise ConfigError(
                "shard='items' is for diffusion on rows (diffrec, t-diffrec, f-diffrec), and "
                f"'{self.registered}' with these settings keeps its items whole; leave shard out"
            )
        self.shard = distributed.shard(train.n_items) if run.shard == "items" else None
        if run.threads:
            torch.set_num_threads(run.threads)
        if self.traits.remembers_users:
            train = train.take(np.flatnonzero(train.lengths() > 0))  # of the others nothing can be learned: they stay unseen users
            self.users = train.users
        self._items, self.summary = train.items, {}
        with fast_products(run.torch_device):
            self._fit(train, run, validate)
        return self

    @abstractmethod
    def _fit(self, train: Interactions, run: Run, validate: Validate | None) -> None:
        """Learn from interactions; what `fit` calls.

        Args:
            train: users and items are already set; a model applies `config.weighting.for_fit` to it.
            run: device, seed, folder and so on.
            validate: as of `fit`.

        Raises:
            DataError: the data lacks what the model needs, such as time.
            ModelError: there is too little to learn from, or training fails.
        """

    @abstractmethod
    def score(self, batch: Batch) -> Tensor:
        """Score every item for every user of a batch.

        Args:
            batch: histories [B, I], weighted, and which known users they are of.

        Returns:
            [B, I], higher is better; finite for every item, those of the history included. With a `shard` it is of the items
            here alone. The tensor is the caller's to write into.
        """

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """Everything that was learned, by name; slices of it as DTensors, where there is a `shard`."""

    copies_state: ClassVar[bool] = False
    """Whether `restore` copies what it is given; else the model keeps those very tensors."""

    def lay_out(self) -> None:  # noqa: B027
        """Lay the weights out in memory as ranking reads them; their values stay. The model is not trained any further."""

    @abstractmethod
    def _restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave; `items` and `users` are already set."""

    def restore(self, state: Mapping[str, Tensor], items: IdMap, device: str = "cpu", *, users: IdMap | None = None) -> Self:
        """Take back what `state` gave, in place of a fit.

        Args:
            state: of a fitted model of the same config.
            items: its catalogue.
            device: where to score.
            users: those it remembers; needed by a model that remembers any.

        Raises:
            ModelError: the users are lacking.
        """
        if self.traits.remembers_users and users is None:
            raise ModelError(f"{type(self).__name__} remembers its users; restore it with their ids (users=)")
        self._items, self.users, self.shard = items, IdMap([]) if users is None else users, None
        self._restore({name: tensor.to(device) for name, tensor in state.items()})
        return self

    @property
    def parameters(self) -> int:
        """The number of learned numbers."""
        return sum(tensor.numel() for tensor in self.state().values())

    @property
    def device(self) -> torch.device:
        """The device that the model scores on."""
        return next((tensor.device for tensor in self.state().values()), torch.device("cpu"))

    def vectors(self) -> ItemVectors:
        """The items' side of the inner product: vectors [I, H] and biases [I].

        Raises:
            ModelError: the model has none.
        """
        raise ModelError(f"{self.registered} has no item vectors; use a model that has, such as diffrec")

    def user_vectors(self, batch: Batch) -> Tensor:
        """The users' side of the inner product, [B, H].

        Args:
            batch: as of `score`.

        Raises:
            ModelError: the model has none.
        """
        self.vectors()
        raise ModelError(f"{self.registered} has no user vectors")

    def hidden_chain(self) -> HiddenChain | None:
        """The chain between hidden layers that scores a weighted row, see `diffusion.hidden`; None of a model without one.

        Raises:
            ModelError: with these settings it goes otherwise.
        """
        return None


keep_old_names(Recommender)


def need_model(model: object) -> None:
    """Refuse what is no model, above all the path of a model's folder.

    Args:
        model: what was given as a model.

    Raises:
        ModelError: it is no `Recommender`.
    """
    if isinstance(model, str | Path):
        raise ModelError(f"'{model}' is a path, not a model; load it first: recodiff.load_model({str(model)!r})")
    if not isinstance(model, Recommender):
        raise ModelError(f"a model is wanted, not {type(model).__name__}; give what recodiff.train or recodiff.load_model returns")


def batches(model: Recommender, history: Interactions, size: int) -> Iterator[tuple[Tensor, Batch]]:
    """Batches of histories as a model scores them: weighted, on its device, each user placed among those that it remembers.

    Args:
        model: a fitted model.
        history: unweighted, over the model's catalogue.
        size: users in a batch at most.

    Yields:
        Rows of `history`, int64 [B] on the model's device, and their batch.

    Raises:
        DataError: the model reads histories in their order, and the history has no time.
    """
    if model.traits.reads_order:
        history.need_order(model.registered)
    device = model.device
    shared = history.shared_places() if model.traits.reads_order else None
    weightings = {"": model.config.weighting, **model.history_views}
    views = {name: Rows.from_csr(weighting(history).matrix, device, shared) for name, weighting in weightings.items()}
    rows = views.pop("")
    places = torch.from_numpy(history.users.within(model.users)).to(device)
    parts, of_views = rows.split(size), {name: view.split(size) for name, view in views.items()}
    for users in torch.arange(history.n_users, device=device).split(size):
        yield users, Batch(next(parts), places[users], {name: next(view) for name, view in of_views.items()})


__getattr__ = old_names(__name__)
