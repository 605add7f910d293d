"""Makes the pages of what other packages mean: `python benchmarks/peers/pages.py`.

docs/explanation/metrics.md, in Chinese docs/zh/explanation/metrics.md, from src/recodiff/evaluation/peers.toml and the recorded
figures; docs/explanation/splitters.md from the recorded splits.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recodiff.evaluation.metrics import METRICS
from recodiff.evaluation.peers import KINDS, Peer, PeerFigure, formulas, peers

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "tests" / "evaluation" / "peers"
WORDS = Path(__file__).resolve().parent / "pages.toml"
RULES = ("without_truth", "without_list")


def pages() -> dict[str, str]:
    """Path from the root -> text of the page."""
    words = tomllib.loads(WORDS.read_text("utf-8"))
    return {
        "docs/explanation/metrics.md": _metrics(words["en"], "en"),
        "docs/zh/explanation/metrics.md": _metrics(words["zh"], "zh"),
        "docs/explanation/splitters.md": _splitters(words["splitters"]),
    }


def _metrics(words: Mapping[str, Any], language: str) -> str:
    facts = tomllib.loads((ROOT / "src" / "recodiff" / "evaluation" / "peers.toml").read_text("utf-8"))
    why = facts["why"]
    kinds = [[code(name), *(_overview(peer, kind) for kind in KINDS)] for name, peer in peers().items()]
    users = [[code(name), *_users(peer, words)] for name, peer in peers().items()]
    ours = [[code(name), str(formula)] for name, formula in formulas().items() if name in METRICS]
    parts = [
        words["head"].format(packages=len(peers()), **{kind: _number(kind) for kind in KINDS}),
        table(words["formula_columns"], ours),
        words["overview"],
        table([words["package"], *KINDS], kinds),
        words["users"],
        table(words["user_columns"], users),
        words["every"],
    ]
    recorded = json.loads((RECORDS / "figures.json").read_text())
    for name, peer in peers().items():
        rows = [_row(figure, recorded[name]["figures"]["handed"], why, language) for figure in peer.figures]
        parts += [f"### {name}", peer.version, table(words["columns"], rows), _quirks(facts["packages"][name], language)]
    parts += [words["others"], table(words["other_columns"], [_other(one, language) for one in facts["others"]])]
    return "\n\n".join(part.strip() for part in [*parts, words["foot"]]) + "\n"


def _quirks(package: Mapping[str, Any], language: str) -> str:
    return "\n".join(f"* {quirk[language]}" for quirk in package["quirks"])


def _other(package: Mapping[str, Any], language: str) -> list[str]:
    same = ", ".join(f"{code(theirs)}: {code(ours)}" for theirs, ours in package["figures"])
    return [package["version"], same, " ".join(quirk[language] for quirk in package["quirks"])]


def _number(kind: str) -> int:
    """How many figures the packages give under a name: each package's first of the kind."""
    firsts = [next((figure.formula for figure in peer.figures if figure.kind == kind), None) for peer in peers().values()]
    return len({formula for formula in firsts if formula is not None})


def _overview(peer: Peer, kind: str) -> str:
    """The package's first figure of the kind: ours of the same formula, or the formula."""
    figure = next((figure for figure in peer.figures if figure.kind == kind), None)
    return "-" if figure is None else code(figure.ours) if figure.ours else str(figure.formula)


def _users(peer: Peer, words: Mapping[str, Any]) -> list[str]:
    """What becomes of users without truth, without a list, and of short lists."""
    cells = []
    for rule in RULES:
        said: dict[str, list[str]] = {}
        for figure in peer.figures:
            said.setdefault(words["rules"][getattr(figure, rule)], []).append(code(figure.name))
        most = max(said, key=lambda text: len(said[text]))
        others = [f"{', '.join(names)}: {text}" for text, names in said.items() if text != most]
        cells.append("; ".join([most, *others]))
    filled = [code(figure.name) for figure in peer.figures if not figure.short_lists]
    everyone = len(filled) == len(peer.figures)
    cells.append(words["misses"] if not filled else words["filled"] if everyone else f"{words['filled']}: {', '.join(filled)}")
    return [*cells, words["ties"].get(peer.ties, peer.ties)]


def _row(figure: PeerFigure, handed: Mapping[str, Any], why: Mapping[str, Any], language: str) -> list[str]:
    value = handed.get(figure.name)
    shown = f"{value:.4f}" if isinstance(value, float) else "-"
    same = code(figure.ours) if figure.ours else why[figure.formula_name][language]
    return [code(figure.name), same, str(figure.formula), shown]


def _splitters(words: Mapping[str, Any]) -> str:
    recorded = json.loads((RECORDS / "splits.json").read_text())
    rows = []
    for package in recorded.values():
        version = " ".join(f"{name} {number}" for name, number in package["versions"].items())
        for splitter, found in package["splits"].items():
            rows.append([version, code(splitter), *_split(found, words)])
    return "\n\n".join(part.strip() for part in (words["head"], table(words["columns"], rows), words["foot"])) + "\n"


def _split(found: Mapping[str, Any], words: Mapping[str, Any]) -> list[str]:
    if "error" in found:
        return ["-", "-", f"{words['error']} {found['error'].split(':')[0]}"]
    if found.get("read"):
        return ["-", "-", f"{found['goes']} ({words['read']})"]
    return [f"{found['cut']} / {found['users']}", words["no"] if found["same"] else words["yes"], found["goes"]]


def code(text: str | None) -> str:
    """Text as it is typed."""
    return f"`{text}`"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    for name, text in pages().items():
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(text, "utf-8")
        print(name)
