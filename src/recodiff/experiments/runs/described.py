"""What pages of experiments share: tables in Markdown, and where their figures come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recodiff.data.dataset import Dataset
from recodiff.experiments.runs.cases import Protocol, Row
from recodiff.experiments.runs.protocols import PARTS, SAID, chosen_on
from recodiff.experiments.runs.train import ChooseOn


def provenance(data: Dataset, rows: Sequence[Row], seeds: Sequence[int]) -> dict[str, str]:
    """Protocol, data, seeds, and the commits, machines and versions of all runs behind the rows."""
    sizes = data.summary()
    results = [result for row in rows for result in row.results]
    kinds: set[tuple[Protocol, ChooseOn]] = {(row.case.protocol, row.case.choose_on) for row in rows}
    protocol, choose_on = kinds.pop() if len(kinds) == 1 else ("official", "valid")
    runs = [result.provenance for result in results]
    described = {
        "protocol": f"{_ranked(rows)}; all other items ranked; recall = hits / relevant; "
        f"the epoch kept is chosen on {chosen_on(protocol, choose_on)}, {PARTS[protocol][1]} is read once per run",
        "data": f"{data.name}, {sizes['users']:,} users, {sizes['items']:,} items, {sizes['interactions']:,} interactions, "
        f"fingerprint {sizes['fingerprint']}",
        "seeds": f"{', '.join(map(str, seeds))} asked for; figures are means over seeds (standard error over seeds)",
        "runs": f"{len({result.key for result in results})}, made {_between(run.get('date') for run in runs)}",
        "commit": listed(run.get("commit") or "not from a checkout" for run in runs),
        "machine": listed(run.get("machine") for run in runs),
        "device": listed(f"{run.get('device')}, {run.get('threads')} threads" for run in runs),
        "versions": listed(", ".join(f"{name} {number}" for name, number in run.get("versions", {}).items()) for run in runs),
    }
    return described if runs else {key: described[key] for key in ("protocol", "data", "seeds")}


def _ranked(rows: Sequence[Row]) -> str:
    kinds: set[Protocol] = {row.case.protocol for row in rows}
    return SAID[kinds.pop()] if len(kinds) == 1 else f"{SAID['official']}, where a row says nothing else"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/').replace(chr(10), ' ') for cell in line)} |" for line in lines)


def as_p(p: float, *, bound: bool = False) -> str:
    """A p-value as people write it; `bound`, where it is only known not to be greater."""
    return "< .001" if p < 0.001 else f"{'≤ ' if bound else ''}{p:.3f}".replace("0.", ".") if p < 1 else "1"


def listed(values: Iterable[object]) -> str:
    """Each once, in the order of their first appearance; what is None is left out."""
    return "; ".join(dict.fromkeys(str(value) for value in values if value is not None))


def _between(dates: Iterable[str | None]) -> str:
    known = sorted(date for date in dates if date)
    return known[0] if known and known[0] == known[-1] else f"{known[0]} to {known[-1]}" if known else "at an unknown time"
