"""LensKit 2025.8.1, the last for Python 3.11, asked as the newer one: it counts users without truth otherwise."""

import ask_lenskit  # noqa: F401
