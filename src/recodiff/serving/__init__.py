"""The service: a model folder behind HTTP, with a store of histories and a page to look at. `cli/serve.py` starts it."""
