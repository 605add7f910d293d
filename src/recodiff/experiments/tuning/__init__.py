"""Searches of settings on the validation part.

What is searched, method by method, is in `spaces.py`, and the ranges and choices it is made of in `dimensions.py`.
`tune.py` is the whole of a search, `search.py` its trials, `study.py` the study of Optuna in a folder, and `tuning_result.py` what
was found and the files that hold it.
"""
