"""`recodiff corrupt`."""

from __future__ import annotations

from pathlib import Path

from recodiff.cli.info import print_dataset
from recodiff.cli.output import print_json, say
from recodiff.cli.parameters import Whole
from recodiff.data import corrupt as corrupt_data


def corrupt(
    data: Path,
    out: Path,
    /,
    *,
    share: float,
    seed: Whole = 0,
    name: str | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Add random items to the train and validation parts of a data folder; the test part stays as it is.

    They are drawn from the items that a user has in no part, and take random places in the user's order.
    For noise of low ratings, see `recodiff prepare --natural-noise`.

    Example: recodiff corrupt ml-1m_clean data/ml-1m_random30 --share 0.3

    Parameters
    ----------
    data
        A data folder, or a DiffRec release folder as it is.
    out
        The data folder to write.
    share
        How many to add for each interaction of a user's part, above 0 and at most 1.
    seed
        Of all draws; the same seed adds the same items.
    name
        What tables call the data; the name of the folder to write unless given.
    overwrite
        Replace a data folder that is already there.
    json
        Print the summary as JSON.
    """
    dataset = corrupt_data(data, out, share=share, seed=seed, name=name, overwrite=overwrite)
    if json:
        print_json(dataset.info)
    else:
        print_dataset(dataset)
        say(f"wrote {out}")
