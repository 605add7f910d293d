"""The figures of another package, for `recodiff evaluate --like`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from recodiff.cli.output import print_json, print_table, say, warn
from recodiff.evaluation.conventions import Judged
from recodiff.evaluation.given_lists import Treatment
from recodiff.evaluation.peers import like, peer, treatment

DEFAULT_CUT = 10
"""Where figures are cut when no metric with a length is asked for."""


def show_like(
    name: str,
    judged: Judged,
    lengths: Sequence[int],
    kinds: Collection[str] | None,
    title: str,
    *,
    rankings: Iterable[Judged] = (),
    json: bool = False,
) -> None:
    """Print the figures of a package, how many users each is of, and which metric of ours has the same formula.

    Args:
        name: of the package.
        judged: lists beside the truth.
        lengths: where figures are cut; `DEFAULT_CUT` where there is none.
        kinds: sorts of metrics; all unless given.
        title: of the table.
        rankings: whole rankings of a model, some users at a time.
        json: print one flat object, the package's name of a metric -> number, in place of the table; `notes` holds sentences.

    Raises:
        ConfigError: there is no such package.
    """
    answers, notes = like(name, judged, lengths or [DEFAULT_CUT], kinds, rankings)
    for note in notes:
        warn(note)
    if json:
        figures = {answer.name: None if np.isnan(answer.mean) else answer.mean for answer in answers}
        print_json(figures | ({"notes": notes} if notes else {}))
        return
    rows = [(answer.name, answer.mean, answer.users, answer.ours or "-") for answer in answers]
    print_table((f"{name}'s metric", "mean", "users", "ours of the same formula"), rows, title=f"{title}, as {peer(name).version}")
    say(f"items of one score: {peer(name).ties}; recodiff breaks ties in its own ranking")


def treatment_of(name: str, kinds: Collection[str] | None) -> Treatment:
    """Say what a package makes of missing, surplus and short lists, for the notes on lists.

    Args:
        name: of the package.
        kinds: sorts of metrics; all unless given.

    Raises:
        ConfigError: there is no such package.
    """
    return Treatment(
        without_list=treatment(name, "without_list", kinds),
        without_truth=treatment(name, "without_truth", kinds),
        short_lists=f"see what {name} makes of the places after their end in docs/explanation/metrics.md",
    )
