"""What `import recodiff` offers."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import recodiff


def test_the_version_is_that_of_the_installed_package() -> None:
    assert recodiff.__version__ == version("recodiff")


def test_importing_recodiff_imports_no_heavy_package() -> None:
    """Nor the reader of package metadata, until the version is asked for."""
    script = "import sys, recodiff; print(sorted({'torch', 'polars', 'numpy', 'importlib.metadata'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_every_public_name_resolves_and_has_a_docstring() -> None:
    for name in recodiff.__all__:
        value = getattr(recodiff, name)
        assert getattr(value, "__doc__", None), f"recodiff.{name} has no docstring"


def test_stable_names_are_public() -> None:
    assert set(recodiff.__all__) >= recodiff.STABLE
