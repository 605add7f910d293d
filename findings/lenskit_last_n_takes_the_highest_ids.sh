#!/usr/bin/env bash
# LensKit 2025.8.1: of items at a user's last time, LastN tests those with the highest ids, whatever the order of the log.
#
# Expected: rows of one time keep the order of the log, so the last row is the newest.
# Seen: a user's newest basket is {10, 20, 30}. In every order of its rows LastN(1) tests item 30; of text ids a, b, c it tests c.
# With more than 16 interactions numpy's unstable sort decides, which gives other items.
# It matters on logs of baskets: ids often grow with an item's age in the catalogue, so the test part is made of its newest items, and
# a model that breaks ties by id is favoured or punished.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check lenskit==2025.8.1 torch==2.13.0 numpy==2.4.6 pandas==2.3.3
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata
from itertools import permutations

import pandas as pd
from lenskit.data import from_interactions_df
from lenskit.splitting import LastN, sample_users


def tested(basket):
    rows = [(1, type(basket[0])(5), 100), *((1, item, 200) for item in basket)]
    log = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    split = sample_users(from_interactions_df(log), 1, LastN(1), rng=0)
    return [item for _, items in split.test for item in items.ids().tolist()]


numbers = {str(tested(list(order))) for order in permutations([10, 20, 30])}
texts = {str(tested(list(order))) for order in permutations(["a", "b", "c"])}
print("lenskit", importlib.metadata.version("lenskit"))
print("LastN(1) of the basket {10, 20, 30} in its six orders:", numbers, "and of {a, b, c}:", texts)
if numbers != {"[30]"} or texts != {"['c']"}:
    raise SystemExit("this is no longer how LensKit splits")
PYTHON
