"""Studies before a comparison: the same budget for every method that has anything to search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recodiff import files
from recodiff.errors import DataError, ModelError
from recodiff.experiments.cases import Protocol
from recodiff.experiments.compare.contenders import read_contenders
from recodiff.experiments.protocols import in_order
from recodiff.experiments.runner import Asked, Say, load_complete
from recodiff.experiments.search import Budget
from recodiff.experiments.spaces import SPACES
from recodiff.experiments.tune import tune
from recodiff.experiments.tuned import BEST
from recodiff.training import Run

STUDIES, TUNED = "studies", "tuned"


def tune_all(
    sources: Sequence[str | Path],
    folder: Path,
    out: Path,
    asked: Asked,
    budget: Budget,
    *,
    recency: bool = False,
    protocol: Protocol = "official",
    say: Say = print,
) -> list[str]:
    """Runs a study for each method, and gives the files of what they found; called again, it goes on where it stood.

    Args:
        sources: as for `compare`: where the searches begin.
        folder: the data; its test part is not read.
        out: studies go to its folder `studies`, the settings found to `tuned`.
        asked: device and threads.
        budget: of each method.
        recency: whether weightings by recency are searched for every method that does not know the order already.
        protocol: which part is chosen on.
        say: is told which study is going on.

    Returns:
        A source for each: the file of its best settings, or what was given where there is nothing to search, no order to search
        by, or every trial failed.

    Raises:
        CheckpointError: a study there is of another space, seed or data.
    """
    data = load_complete(folder)
    data = in_order(data) if protocol == "chronological" else data
    contenders, found = read_contenders(sources), list[str]()
    for number, one in enumerate(contenders, 1):
        name, ages = one.model.registered, recency and not one.model.order_aware
        found.append(one.source)
        if name not in SPACES and not ages:
            say(f"{one.label}: not tuned: nothing is declared to search")
            continue
        say(f"study {number}/{len(contenders)}: {one.label}")
        run = Run(asked.device, threads=asked.threads, out=out / STUDIES / one.label)
        try:
            if one.model.order_aware:
                data.train.need_order(one.label)
            tune(name, one.model.config.model_dump(), data, run, budget, recency=ages, where=one.source)
        except (DataError, ModelError) as error:
            say(f"{one.label}: not tuned: {error}")
            continue
        path = out / TUNED / f"{one.label}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(path, (out / STUDIES / one.label / BEST).read_text("utf-8"))
        found[-1] = str(path)
    return found
