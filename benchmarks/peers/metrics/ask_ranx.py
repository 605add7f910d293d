"""ranx, which refuses lists and truth over different users unless told to make them comparable."""

from __future__ import annotations

from cases import Case, Figures, answer, attempt
from ranx import Qrels, Run, evaluate


def measure(case: Case) -> Figures:
    lists = {f"u{user}": dict(zip(map(str, case.lists[user]), case.scores(user), strict=True)) for user in case.listed()}
    graded = {f"u{user}": {str(item): grade for item, grade in case.truth[user].items()} for user in case.seeking()}
    binary = {user: dict.fromkeys(truth, 1) for user, truth in graded.items()}
    same = lists.keys() == graded.keys()

    def one(metric: str, truth: dict[str, dict[str, int]] = binary, *, comparable: bool = not same) -> float:
        return evaluate(Qrels(truth), Run(lists), metric, make_comparable=comparable)

    names = ("recall", "precision", "ndcg", "map", "mrr", "hit_rate")
    figures = {name: one(f"{name}@{case.k}") for name in names}
    figures |= {"map uncut": one("map"), "mrr uncut": one("mrr"), "ndcg, ratings": one(f"ndcg@{case.k}", graded)}
    figures |= {"ndcg_burges, ratings": one(f"ndcg_burges@{case.k}", graded)}
    return figures | {"recall, make_comparable=False": attempt(lambda: one(f"recall@{case.k}", comparable=False))}


answer(measure, "ranx")
