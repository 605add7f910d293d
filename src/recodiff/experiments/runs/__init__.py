"""Runs: a model trained on a data folder and measured on it, kept on disk and never repeated.

`train.py` is what `recodiff train` does. For several at once, `cases.py` says what is run, `runner.py` runs every case with
every seed, `job.py` is one training and its results, and `options.py` has seeds, device and deadline. `measurement.py` and
`protocols.py` say what is measured on which part, `details.py` and `peak_memory.py` what is measured beyond means.
`deciding_metric.py` has the metric that a training stops by. `identity.py` names results and trainings, `results.py` keeps
them, and `provenance.py` says where they come from.
"""

from recodiff.moved import old_names

__getattr__ = old_names(__name__)
