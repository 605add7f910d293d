"""The presets: what each is, and its settings."""

from __future__ import annotations

from importlib import resources

from recodiff.configs import presets
from reference_pages.markdown import anchor, indented


def page() -> str:
    """A folded block for each preset."""
    head = (
        "# Presets\n\nSettings that ship with the package, for `recodiff train PRESET` and `recodiff.read_settings(PRESET)`. "
        "The first line of each says where its values come from.\n"
    )
    return head + "\n" + "\n".join(block(name) for name in presets())


def block(name: str) -> str:
    """A preset's file, folded."""
    text = (resources.files("recodiff") / "configs" / f"{name}.toml").read_text("utf-8").strip()
    return f'<a id="{anchor(name)}"></a>\n\n??? abstract "{name}"\n\n' + indented(f"```toml\n{text}\n```") + "\n"
