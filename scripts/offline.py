"""Whether a built site fetches anything from another host.

The theme's script fetches in three cases, which a page must not have: a diagram in mermaid, and the figures of a repository's host;
and for browsers without ResizeObserver (before 2020), which is left as it is.

python scripts/offline.py SITE
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

FETCHED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
}
"""Elements whose attribute a browser fetches by itself; those of `link` depend on what the link is."""
FETCHED_LINKS = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "modulepreload", "manifest", "shortcut icon"}
HOST = re.compile(r"^(https?:)?//")
IN_CSS = re.compile(r"""(?:url\(\s*['"]?|@import\s+['"])((?:https?:)?//[^'")\s]+)""")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        target = given.get(FETCHED.get(tag, ""), "")
        if tag == "link" and given.get("rel", "").lower() in FETCHED_LINKS:
            target = given.get("href", "")
        if HOST.match(target):
            self.found.append(f"<{tag}> {target}")
        if "mermaid" in given.get("class", "").split() or given.get("data-md-component") == "source":
            self.found.append(f"<{tag}> of which the theme's script fetches the drawing or the figures")


def outside(site: Path) -> list[str]:
    """Every address of another host that a page or a style sheet would fetch.

    Args:
        site: folder of the built site.
    """
    found = []
    for path in sorted(site.rglob("*.html")):
        page = _Page()
        page.feed(path.read_text("utf-8"))
        found += [f"{path.relative_to(site)}: {what}" for what in page.found]
    for path in sorted(site.rglob("*.css")):
        found += [f"{path.relative_to(site)}: {address}" for address in IN_CSS.findall(path.read_text("utf-8"))]
    return found


if __name__ == "__main__":
    addresses = outside(Path(sys.argv[1]))
    print("\n".join(addresses) or "nothing is fetched from outside")
    sys.exit(bool(addresses))
