"""Spark: RankingMetrics of pyspark.mllib, whose pairs are (list, truth); a user without a list is a pair of an empty list."""

from __future__ import annotations

import logging

from cases import Case, Figures, answer
from pyspark.mllib.evaluation import RankingMetrics
from pyspark.sql import SparkSession

SESSION = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
SESSION.sparkContext.setLogLevel("OFF")
logging.getLogger("py4j").setLevel(logging.ERROR)


def measure(case: Case) -> Figures:
    pairs = [(case.lists[user], list(case.truth[user])) for user in case.lists]
    found = RankingMetrics(SESSION.sparkContext.parallelize(pairs, 1))
    k = case.k
    return {
        "recallAt": found.recallAt(k),
        "precisionAt": found.precisionAt(k),
        "ndcgAt": found.ndcgAt(k),
        "meanAveragePrecisionAt": found.meanAveragePrecisionAt(k),
        "meanAveragePrecision": found.meanAveragePrecision,
    }


answer(measure, "pyspark")
SESSION.stop()
