"""Pages and figures: HTML, SVG and Markdown.

`html.py` fills the pages in `templates/`. Their colours are in `report.css`: `--series-0` to `--series-7` are those of the
figures, which `figures.py` draws, and its `ON_WHITE` has the colours of figures on paper. `cells.py` says how tables write
metrics and p-values, and `markdown.py` writes tables and text in Markdown.
"""
