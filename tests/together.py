"""What each of several processes runs in `test_distributed`: trains models and tells what came out.

python together.py OUT NAME...    under torchrun, or alone
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from recodiff import Candidates, Run, build, evaluate, recommend, save_model
from recodiff.data.interactions import Interactions
from recodiff.runtime import distributed
from toy import checkerboard

NOISY = {"kind": "linear_variance", "noise_scale": 0.5, "noise_max": 0.9}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "dense": ("diffrec", {"diffusion": {"steps": 3, "schedule": NOISY, "space": "dense"}, "denoiser": {"hidden": [8, 4]}}),
    "hidden": ("t-diffrec", {"diffusion": {"steps": 3, "schedule": NOISY, "space": "hidden"}, "denoiser": {"hidden": [8]}}),
    "latent": ("l-diffrec", {"codec": {"latent": 6, "clusters": 1}, "denoiser": {"hidden": [8]}}),
    "gaussian": ("l-diffrec", {"codec": {"latent": 6, "clusters": 1, "likelihood": "gaussian"}, "denoiser": {"hidden": [8]}}),
    "forecast": ("f-diffrec", {"denoiser": {"hidden": [8]}}),
    "multivae": ("multivae", {"network": {"hidden": [8], "latent": 4}}),
    "codigem": ("codigem", {"hidden": [8]}),
    "cdae": ("cdae", {"hidden": 4}),
    "mf": ("mf", {"width": 4}),
    "lightgcn": ("lightgcn", {"width": 4}),
    "sasrec": ("sasrec", {"width": 8, "length": 6}),
    "acvae": (
        "acvae",
        {"width": 8, "latent": 4, "length": 6, "contrastive_weight": 0.0},
    ),  # who the other user is depends on the parts
    "irgan": ("irgan", {"width": 4, "warmup_epochs": 2, "samples": 8}),
    "giffcf": ("giffcf", {"width": 4, "channels": 2}),
}
NARROW = {"hidden": [8, 6], "dropout": 0.3}
SHARED: dict[str, tuple[str, dict[str, Any]]] = {
    "items-diffrec": ("diffrec", {"diffusion": {"steps": 3, "schedule": NOISY, "space": "hidden"}, "denoiser": NARROW}),
    "items-t-diffrec": ("t-diffrec", {"diffusion": {"steps": 3, "schedule": NOISY, "space": "hidden"}, "denoiser": NARROW}),
    "items-f-diffrec": ("f-diffrec", {"diffusion": {"space": "hidden"}, "denoiser": {"hidden": [8]}}),
    "items-forecast-squares": ("f-diffrec", {"diffusion": {"loss": "squared", "space": "hidden"}, "denoiser": {"hidden": [8]}}),
    "items-sampled": ("f-diffrec", {"diffusion": {"space": "hidden", "sampled_items": 3}, "denoiser": {"hidden": [8]}}),
}
"""Whose items are shared."""
CASES_OF_BOTH = CASES | SHARED
AVERAGED = ("hidden", "items-t-diffrec")
"""Those judged by the average of their weights, whose runs are killed too."""
BOARD = checkerboard(21, shuffled=True)  # batches of 10, 10 and 1: uneven parts, and one row for two processes


def trained(name: str, *, epochs: int = 7, out: Path | None = None, resume: bool = False, stop_after: int | None = None) -> Any:
    """The model of a case; `stop_after` so many steps the process dies, as one does that is killed."""
    registered, settings = CASES_OF_BOTH[name]
    ema = 0.5 if name in AVERAGED else None
    model = build(registered, settings | {"training": {"epochs": epochs, "batch_size": 10, "check_every_epochs": 1, "ema": ema}})
    if stop_after is not None:
        _die_after(stop_after)
    shard = "items" if name in SHARED else "none"
    run = Run(device="cpu", seed=5, progress=False, out=out, resume=resume, shard=shard)
    return model.fit(BOARD, run, validate=validation)


def validation(model: Any) -> dict[str, float]:
    return {"recall@20": evaluate(model, BOARD, truth(), ["recall@20"], mask=nothing()).mean("recall@20")}


def truth() -> Interactions:
    return BOARD.only(BOARD.positions() % 3 == 0)


def nothing() -> Interactions:
    return BOARD.only(BOARD.positions() < 0)


def _die_after(steps: int) -> None:
    import os

    from recodiff.training import loop

    real = loop._Loop._step
    done = [0]

    def step(loop: Any, users: Any) -> Any:
        done[0] += 1
        if done[0] > steps:
            os._exit(9)
        return real(loop, users)

    loop._Loop._step = step  # pyright: ignore[reportAttributeAccessIssue]


def told(name: str, save_to: Path | None = None, **how: Any) -> dict[str, Any]:
    model = trained(name, **how)
    if save_to is not None and (distributed.leads() or model.shard):
        save_model(model, save_to)
    lists = recommend(model, BOARD, 5)
    few = recommend(
        model, BOARD, 12, candidates=Candidates.positions([0, 3, 4, 19, 20]), exclude_seen=False
    )  # more than one process has of the items
    found = {"log": model.summary["log"], "items": lists.items.tolist(), "scores": lists.scores.tolist(), "few": few.items.tolist()}
    return found | {"parameters": model.parameters, "bytes": here(model)} if name in SHARED else found


def here(model: Any) -> dict[str, int]:
    """Bytes of what this process has of the item-sized parameters."""
    own = dict(model.module.named_parameters())
    return {name: own[name].untyped_storage().nbytes() for name in model.by_item()}


if __name__ == "__main__":
    out, *names = sys.argv[1:]
    if names[0] == "killed":
        trained(names[1], out=Path(out), stop_after=10)
    if names[0] == "resumed":
        found = {"resumed": told(names[1], Path(out) / "model", out=Path(out), resume=True)}
    else:
        found = {name: told(name) for name in names}
    if distributed.leads():
        (Path(out) / f"{names[0]}.json").write_text(json.dumps(found))
