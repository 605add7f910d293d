"""The figures of another package, for `recodiff evaluate --like`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from recodiff.cli.output import print_json, print_table, say, warn
from recodiff.evaluation.conventions import Judged
from recodiff.evaluation.peers import like, peer

DEFAULT_CUT = 10
"""Where figures are cut when no metric with a length is asked for."""


def show_like(
    name: str, judged: Judged, lengths: Sequence[int], kinds: Collection[str] | None, title: str, *, json: bool = False
) -> None:
    """Print the figures of a package, how many users each is of, and which metric of ours has the same formula.

    Args:
        name: of the package.
        judged: lists beside the truth.
        lengths: where figures are cut; `DEFAULT_CUT` where there is none.
        kinds: sorts of metrics; all unless given.
        title: of the table.
        json: print one flat object, the package's name of a metric -> number, in place of the table.

    Raises:
        ConfigError: there is no such package.
    """
    answers, refusals = like(name, judged, lengths or [DEFAULT_CUT], kinds)
    for refusal in refusals:
        warn(refusal)
    if json:
        print_json({answer.name: None if np.isnan(answer.mean) else answer.mean for answer in answers})
        return
    rows = [(answer.name, answer.mean, answer.users, answer.ours or "-") for answer in answers]
    print_table((f"{name}'s metric", "mean", "users", "ours of the same formula"), rows, title=f"{title}, as {peer(name).version}")
    say(f"items of one score: {peer(name).ties}; recodiff breaks ties in its own ranking")
