"""What a command does, as functions: train a model on a data folder, measure it, compare several.

`runs/` trains and measures one model, and keeps its result; `tuning/` searches settings (the spaces are in
`tuning/spaces.py`); `compare/` lays any methods side by side; `reproduce/` has the paper's tables and figures; `demo.py`
is the tour of `recodiff demo`.
"""
