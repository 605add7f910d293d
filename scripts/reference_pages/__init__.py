"""The reference, made from the program: nothing of it is written by hand.

Every module gives one page, `page() -> str` in Markdown. `PAGES` says under which path the site has it.
"""

from __future__ import annotations

from collections.abc import Callable

from reference_pages import api, commands, errors, formats, metrics, models, presets, settings, stores

PAGES: dict[str, Callable[[], str]] = {
    "reference/commands.md": commands.page,
    "reference/settings.md": settings.page,
    "reference/models.md": models.page,
    "reference/api.md": api.page,
    "reference/presets.md": presets.page,
    "reference/formats.md": formats.page,
    "reference/vector-stores.md": stores.page,
    "reference/metrics.md": metrics.page,
    "reference/errors.md": errors.page,
}
