"""Settings that no model can be built from: a model's name, its settings, and words of the sentence that refuses them."""

from __future__ import annotations

from typing import Any

NO_NOISE = {"kind": "none"}
IN_DAYS = {"target": {"kind": "half_life", "half_life": 2.0, "unit": "days"}}
OF_DIFFUSION: dict[str, tuple[str, dict[str, Any], str]] = {
    "more noise steps than steps": (
        "diffrec",
        {"diffusion": {"steps": 3}, "sampling": {"noise_steps": 4}},
        "sampling.noise_steps=4 lies outside 0..3",
    ),
    "noise to be estimated and none": (
        "diffrec",
        {"diffusion": {"prediction": "eps", "schedule": NO_NOISE}},
        "in 'diffusion': prediction='eps' estimates the noise, and schedule.kind='none' has none; use prediction='x0'",
    ),
    "noise to be estimated by a multinomial": (
        "diffrec",
        {"diffusion": {"prediction": "eps", "loss": "multinomial"}},
        "prediction='eps' needs loss='squared'",
    ),
    "noise to be estimated between hidden layers": (
        "diffrec",
        {"diffusion": {"prediction": "eps", "space": "hidden"}},
        "space='hidden' needs prediction='x0'",
    ),
    "sampled items of no softmax": ("diffrec", {"diffusion": {"sampled_items": 4}}, "sampled_items is for loss='multinomial'"),
    "sampled items in the dense space": (
        "f-diffrec",
        {"diffusion": {"sampled_items": 4, "space": "dense"}},
        "sampled_items needs the hidden space",
    ),
    "a way to sample no items": ("f-diffrec", {"diffusion": {"sampled_by": "popularity"}}, "give their number"),
    "a normalised row between hidden layers": (
        "diffrec",
        {"diffusion": {"space": "hidden"}, "denoiser": {"normalise": True}},
        "space='hidden' needs the hidden space, and that needs denoiser.normalise=false",
    ),
    "codes by a multinomial": ("l-diffrec", {"diffusion": {"loss": "multinomial"}}, "diffusion.loss='multinomial' is for rows"),
    "codes between hidden layers": ("l-diffrec", {"diffusion": {"space": "hidden"}}, "diffusion.space='hidden' is for rows"),
    "levels of noise that fall": (
        "diffrec",
        {"diffusion": {"schedule": {"noise_min": 0.2, "noise_max": 0.1}}},
        "noise_max = 0.1 is below noise_min = 0.2",
    ),
    "steps of the same level": ("multidae++", {"noise": {"schedule": {"noise_max": 0.005}}}, "outside (0, 1]"),
    "clusters without width": (
        "l-diffrec",
        {"codec": {"clusters": 4, "latent": 3}},
        "a width of 3 cannot be shared among 4 clusters",
    ),
    "widths of decoders that have none": (
        "l-diffrec",
        {"codec": {"decoder": "per_cluster", "decoder_hidden": [8]}},
        "leave decoder_hidden empty",
    ),
}
OF_OTHERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "heads that do not divide the width": ("sasrec", {"width": 10, "heads": 3}, "width=10 cannot be shared by heads=3"),
    "heads of a component": (
        "fs-diffrec",
        {"parts": {"sequence": {"settings": {"heads": 3}}}},
        "width=64 cannot be shared by heads=3",
    ),
    "hidden places that look ahead": (
        "bert4rec",
        {"horizon": 4},
        "horizon=4, loss_over='all': a hidden place foresees its own item among all",
    ),
    "places counted in days": ("sasrec", IN_DAYS, "target.unit='days' is not for sequence models"),
    "places counted in days, recurrent": ("gru4rec", IN_DAYS, "target.unit='days' is not for sequence models"),
    "a mixture of nothing": (
        "fs-diffrec",
        {"parts": {name: {"share": 0.0} for name in ("rows", "sequence", "items")}},
        "a mixture needs a component with a share above 0",
    ),
    "a setting of components": ("fs-diffrec", {"heads": 2}, "'heads' is a setting of its components"),
    "a metric misspelt": ("diffrec", {"training": {"metric": "recal@20"}}, "did you mean 'recall@20'?"),
    "a metric misspelt in a mixture": ("fs-diffrec", {"metric": "ndgc@10"}, "did you mean 'ndcg@10'?"),
    "a metric misspelt in a component": (
        "fs-diffrec",
        {"parts": {"rows": {"settings": {"training": {"metric": "ndgc@10"}}}}},
        "did you mean 'ndcg@10'?",
    ),
    "a metric without a length": ("sasrec", {"training": {"metric": "recall"}}, "needs a length"),
    "a length of whole rankings": ("mf", {"training": {"metric": "auc@20"}}, "takes no length"),
    "a metric of lists": ("cdae", {"training": {"metric": "coverage@20"}}, "no metric of hits 'coverage@20'"),
}
CONTRADICTIONS = OF_DIFFUSION | OF_OTHERS
