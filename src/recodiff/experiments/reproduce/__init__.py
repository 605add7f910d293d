"""Every table and figure of the paper as one command: experiments as data, one runner, ours beside the published figures.

The paper's tables and figures are in `paper.py`, our own questions in `questions.py`, and all by name in `catalogue.py`.
The published figures are in `published.toml`, read by `published.py`. `experiment.py` says what an experiment is made of,
`settings.py` with which settings a case runs, and `result.py` what is found. `reproduce.py` runs an experiment;
`page.py` and `paper_figures.py` make its page and its drawing, and `output.py` writes them.
"""
