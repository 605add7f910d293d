"""RecBole: order TO (by time) with a ratio split of each user, and leave-one-out, from an atomic file of its own form."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from logs import Pairs, Row, Split, answer
from recbole.config import Config
from recbole.data import create_dataset
from recbole.utils import init_seed

logging.disable(logging.CRITICAL)


def of(how: dict[str, object]) -> Split:
    def split(log: list[Row]) -> Pairs:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / "baskets"
            home.mkdir()
            lines = ["user_id:token\titem_id:token\ttimestamp:float\trating:float"]
            lines += [f"{user}\t{item}\t{time}\t{rating}" for user, item, time, rating in log]
            (home / "baskets.inter").write_text("\n".join(lines) + "\n")
            settings = {
                "data_path": folder,
                "load_col": {"inter": ["user_id", "item_id", "timestamp", "rating"]},
                "eval_args": {"group_by": "user", "order": "TO", "mode": "full", "split": how},
                "state": "CRITICAL",
            }
            config = Config(model="Pop", dataset="baskets", config_dict=settings)
            init_seed(config["seed"], True)
            dataset = create_dataset(config)
            test = dataset.build()[2].inter_feat
            users = dataset.id2token("user_id", test["user_id"].numpy())
            items = dataset.id2token("item_id", test["item_id"].numpy())
        return {(int(user), int(item)) for user, item in zip(users, items, strict=True)}

    return split


answer({"TO, RS [.8, .1, .1]": of({"RS": [0.8, 0.1, 0.1]}), "TO, LS valid_and_test": of({"LS": "valid_and_test"})}, "recbole")
