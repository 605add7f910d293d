"""Moments as a user gives them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from recodiff.errors import ConfigError


def seconds_of(moment: int | str | datetime | None) -> int | None:
    """The seconds from 1970 to a moment; None for none.

    Args:
        moment: seconds since 1970, a datetime, or ISO text (in UTC).

    Raises:
        ConfigError: it is none of these.
    """
    if moment is None or isinstance(moment, int):
        return moment
    if isinstance(moment, str) and moment.lstrip("-").isdigit():
        return int(moment)
    try:
        stamp = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    except ValueError:
        raise ConfigError(f"{moment!r} is no moment; write seconds since 1970 or ISO text such as 2024-05-01T12:30:00") from None
    return math.floor((stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp())
