"""File formats that `recodiff prepare` reads, and the folders that the program writes."""

from __future__ import annotations

from recodiff.data.readers import columns, formats
from reference_pages.markdown import code, first_paragraph, table


def page() -> str:
    """Formats, names of columns, and what stands in the folders."""
    roles = [(role, ", ".join(map(code, names))) for role, names in columns.KNOWN.items()]
    known = table(["format", "what it is"], _formats())
    head = "# File formats\n\n## What `prepare` reads\n\n" + known
    return (
        head
        + "\n\n## Names of columns\n\nWithout case and punctuation; the first name of a role wins.\n\n"
        + table(["role", "names"], roles)
        + "\n"
    )


def _formats() -> list[tuple[str, str]]:
    readers = getattr(formats, "READERS", None)
    if readers:
        return [(code(name), first_paragraph(type(reader))) for name, reader in readers.items()]
    return [(code(name), "") for name in formats.FORMATS if name != "auto"]
