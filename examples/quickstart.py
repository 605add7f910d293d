"""From a log to lists: prepare, train T-DiffRec, measure it beside EASE, recommend to known and new users.

python examples/quickstart.py [LOG]        LOG: any file that `recodiff prepare` reads; synthetic clicks unless given
"""

import sys

import recodiff
from recodiff.data import synthesise

source = sys.argv[1] if len(sys.argv) > 1 else synthesise(users=400, items=200, interactions=12_000, seed=0)
data = recodiff.prepare(source, user_core=5, item_core=5)
print(f"{len(data.users)} users, {len(data.items)} items, {data.info['interactions']} interactions")

settings = {"denoiser": {"hidden": [200]}, "training": {"epochs": 40, "patience_epochs": 10, "lr": 2e-3}}
models = {
    "EASE": recodiff.build("ease", {"l2": 100}).fit(data.train),
    "T-DiffRec": recodiff.build("t-diffrec", settings).fit(data.train, validate=recodiff.Validation(data)),
}
for name, model in models.items():
    # The test part is ranked from the train part; nothing of train and validation may be recommended.
    found = recodiff.evaluate(model, recodiff.stages(data).test)
    print(f"{name}: recall@20 {found.mean('recall@20'):.4f} +- {found.standard_error('recall@20'):.4f}")

model = models["T-DiffRec"]
everything = data.history("train+valid+test")
print("for the first two users:", recodiff.recommend(model, everything.take([0, 1]), k=3).to_frame(data.titles()))

newcomer = recodiff.history_of(model, data.items.ids.head(4).to_list())  # ids, oldest first; the user need not be known
print("for a new user:", recodiff.recommend(model, newcomer, k=3).to_frame(data.titles()))
