"""pytrec_eval (as pytrec-eval-terrier builds it) and ir-measures, which averages over other users."""

from __future__ import annotations

import ir_measures
import pytrec_eval
from cases import Case, Figures, answer
from ir_measures import AP, RR, P, R, Success, nDCG


def measure(case: Case) -> Figures:
    k = case.k
    run = {f"u{user}": dict(zip(map(str, case.lists[user]), case.scores(user), strict=True)) for user in case.listed()}
    graded = {f"u{user}": {str(item): grade for item, grade in case.truth[user].items()} for user in case.seeking()}
    binary = {user: dict.fromkeys(truth, 1) for user, truth in graded.items()}
    names = {f"recall.{k}", f"P.{k}", f"ndcg_cut.{k}", f"map_cut.{k}", "map", "recip_rank", f"success.{k}"}
    found = pytrec_eval.RelevanceEvaluator(binary, names).evaluate(run)
    grades = pytrec_eval.RelevanceEvaluator(graded, names).evaluate(run)

    def mean(name: str, values: dict[str, dict[str, float]] = found) -> float:
        return sum(value[name] for value in values.values()) / len(values)

    asked = {
        "R": R @ k,
        "P": P @ k,
        "nDCG": nDCG @ k,
        "AP": AP @ k,
        "AP uncut": AP,
        "RR": RR @ k,
        "RR uncut": RR,
        "Success": Success @ k,
    }
    averaged = ir_measures.calc_aggregate(list(asked.values()), binary, run)
    return {
        "recall": mean(f"recall_{k}"),
        "P": mean(f"P_{k}"),
        "ndcg_cut": mean(f"ndcg_cut_{k}"),
        "ndcg_cut, ratings": mean(f"ndcg_cut_{k}", grades),
        "map_cut": mean(f"map_cut_{k}"),
        "map": mean("map"),
        "recip_rank": mean("recip_rank"),
        "success": mean(f"success_{k}"),
        **{f"ir_measures {name}": averaged[metric] for name, metric in asked.items()},
        "ir_measures nDCG, ratings": ir_measures.calc_aggregate([asked["nDCG"]], graded, run)[asked["nDCG"]],
    }


answer(measure, "pytrec-eval-terrier", "ir-measures")
