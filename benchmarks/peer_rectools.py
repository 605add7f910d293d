"""The peer's side of peer_sasrec.py: RecTools' own data set, model and trainer, run by the interpreter of .venv-peer-rectools."""
# pyright: reportMissingImports=false

from __future__ import annotations

import logging
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning
import torch
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel
from rectools.models.nn.transformers.lightning import TransformerLightningModule

from peer_answers import answer_requests


class Timed(TransformerLightningModule):
    """Its own training, with the time of each epoch."""

    began, took = 0.0, 0.0

    def on_train_epoch_start(self) -> None:
        """Starts the clock."""
        self.began = time.perf_counter()

    def on_train_epoch_end(self) -> None:
        """Stops it."""
        self.took += time.perf_counter() - self.began


class Peer:
    """RecTools' SASRec: learns from `fit.npy`, reads `history.npy`, both int64 [n, 2] = (user, item), oldest first."""

    def __init__(self, settings: dict[str, Any]) -> None:
        warnings.filterwarnings("ignore")
        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
        torch.set_num_threads(settings["threads"])
        pytorch_lightning.seed_everything(settings["seed"])
        self.folder = Path(settings["folder"])
        self.learned, self.history = (_dataset(self.folder / f"{name}.npy") for name in ("fit", "history"))
        self.model = SASRecModel(**settings["model"], lightning_module_type=Timed, recommend_torch_device="cpu")

    def about(self) -> dict[str, Any]:
        """Sizes and versions."""
        return {"interactions": len(self.learned.interactions.df), "versions": f"RecTools {version('rectools')}"}

    def epochs(self, count: int) -> dict[str, Any]:
        """So many more epochs of its trainer; seconds are those of the epochs alone."""
        self.model.fit_partial(self.learned, min_epochs=count, max_epochs=count)
        module = self.model.lightning_model
        seconds, module.took = module.took, 0.0
        return {"seconds": seconds, "parameters": sum(p.numel() for p in module.torch_model.parameters())}

    def vectors(self) -> dict[str, Any]:
        """Writes `users.npy` and `items.npy`, and beside them whose they are: a score is their inner product."""
        users = self.history.user_id_map.external_ids
        prepared = self.model.data_preparator.transform_dataset_u2i(self.history, users)
        batches = self.model.data_preparator.get_dataloader_recommend(prepared, 256)
        found = self.model.lightning_model._get_user_item_embeddings(batches, "cpu")
        unknown = self.model.data_preparator.n_item_extra_tokens
        for name, ids, vectors in (
            ("users", prepared.user_id_map.external_ids, found[0]),
            ("items", self.model.data_preparator.get_known_item_ids(), found[1][unknown:]),
        ):
            np.save(self.folder / f"{name}.npy", vectors.numpy())
            np.save(self.folder / f"{name}_ids.npy", np.asarray(ids, dtype=np.int64))
        return {}


def _dataset(path: Path) -> Dataset:
    pairs = np.load(path)
    columns = {Columns.User: pairs[:, 0], Columns.Item: pairs[:, 1], Columns.Weight: 1.0}
    return Dataset.construct(pd.DataFrame(columns | {Columns.Datetime: pd.to_datetime(np.arange(len(pairs)), unit="s")}))


if __name__ == "__main__":
    answer_requests(Peer)
