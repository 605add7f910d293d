"""What the site has beyond the pages in docs/: the reference, the project's own pages, and the notebook of measurements.

MkDocs calls the `on_...` functions. Links in a page are those of the repository, so that they also lead somewhere in a checkout;
`on_page_markdown` turns those that leave docs/ into links of the site.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from offline import outside
from reference_pages import PAGES, api, settings

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ("CONTRIBUTING.md", "CHANGELOG.md", "RELEASING.md", "SECURITY.md")
SHOWN = ("benchmarks/**/*.md", "benchmarks/**/*.png", "benchmarks/*.json", "findings/*.md", "examples/*.py")
"""What of the repository outside docs/ the site has, under its own path."""
LINK = re.compile(r"(\]\()(?!https?://|mailto:|#)([^)#\s]+)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that do not stand in docs/; refuse to build where a public name or a setting is undocumented."""
    if missing := [*api.undocumented(), *settings.undocumented()]:
        raise PluginError(f"no docstring: {', '.join(missing)}; say what it is, in the source")
    for path, page in PAGES.items():
        files.append(File.generated(config, path, content=page()))
    for path in repository_files():
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    return files


def repository_files() -> list[str]:
    """Paths of what the site takes from outside docs/."""
    project = [name for name in PROJECT if (ROOT / name).exists()]
    return project + sorted(path.relative_to(ROOT).as_posix() for pattern in SHOWN for path in ROOT.glob(pattern))


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Turn links of the repository into links of the site."""
    here = page.file.src_uri
    in_docs = here not in repository_files()
    return LINK.sub(lambda found: found[1] + site_link(found[2], here, in_docs=in_docs), markdown)


def site_link(target: str, here: str, *, in_docs: bool) -> str:
    """A relative link as the site has it.

    Args:
        target: as it stands in the page, relative to the page's place in the repository.
        here: path of the page in the site.
        in_docs: whether the page stands in docs/.
    """
    folder = posixpath.dirname(f"docs/{here}" if in_docs else here)
    in_repository = posixpath.normpath(posixpath.join(folder, target))
    return posixpath.relpath(in_repository.removeprefix("docs/"), posixpath.dirname(here) or ".")


def on_post_build(config: Any) -> None:
    """Refuse a site that would fetch something from elsewhere."""
    if found := outside(Path(config["site_dir"])):
        raise PluginError("the site fetches from outside: " + "; ".join(found[:10]))


def mathml(source: str, language: str, css_class: str, options: Any, md: Any, **_: Any) -> str:
    """A block of LaTeX as MathML, which browsers draw without a script."""
    return "\n".join(f'<p class="equation">{convert(line, display="block")}</p>' for line in source.split("\n\n") if line.strip())
