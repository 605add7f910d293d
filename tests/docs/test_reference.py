"""The reference is made from the program, and nothing public is left out or undocumented."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import recodiff
from offline import outside
from recodiff import errors
from recodiff.cli import COMMANDS
from recodiff.config import BaseConfig
from recodiff.errors import RecodiffError, RecodiffWarning
from recodiff.models.registry import MODELS
from recodiff.stores.kinds import STORE_KINDS, class_of
from reference_pages import PAGES, api, commands, settings, stores
from site_hooks import site_link


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return {path.removeprefix("reference/").removesuffix(".md"): page() for path, page in PAGES.items()}


def test_every_public_name_stands_in_the_api_with_its_level(made: dict[str, str]) -> None:
    for name in recodiff.__all__:
        assert f"::: recodiff.{name}\n" in made["api"] + "\n", name
        assert f"| {'stable' if name in recodiff.STABLE else 'provisional'} |" in made["api"].split(f"[`{name}`]")[1].split("\n")[0]


def test_every_public_name_stands_below_a_stated_heading_and_none_is_empty() -> None:
    headings = {name: api.group_of(name) for name in api.names()}
    assert set(headings.values()) == set(api.GROUPS)
    assert headings["Traits"] == headings["testing.ModelContract"] == "Writing a model"
    assert headings["open_store"] == "Lists and vectors"


def test_a_public_name_of_a_room_without_a_heading_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(api.GROUPS, "Lists and vectors", ("ranking",))
    with pytest.raises(KeyError):
        api.page()


def test_what_users_catch_is_public(made: dict[str, str]) -> None:
    for name, error in vars(errors).items():
        if isinstance(error, type) and issubclass(error, RecodiffError | RecodiffWarning):
            assert name in recodiff.STABLE
            assert f"::: recodiff.{name}\n" in made["api"] + "\n"


def test_every_public_name_and_setting_is_documented() -> None:
    assert api.undocumented() == []
    assert settings.undocumented() == []


def test_a_public_name_without_a_docstring_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        has_docstring, is_class = False, False

    monkeypatch.setattr(api, "_source", lambda name: Silent())
    assert f"recodiff.{api.names()[0]}" in api.undocumented()


def test_a_setting_without_a_docstring_is_noticed() -> None:
    class Silent(BaseConfig):
        """A group."""

        width: int = 3

    Silent.__module__ = "elsewhere"
    assert not settings.meaning(Silent, "width")


def test_every_command_model_and_error_has_its_place(made: dict[str, str]) -> None:
    for name in COMMANDS:
        assert f"\n## {name}\n" in made["commands"], name
    for name in MODELS:
        assert f"`{name}`" in made["models"], name
    for error in RecodiffError.__subclasses__():
        assert error.__name__ in made["errors"]


def test_a_command_shows_every_argument_with_its_default_and_meaning() -> None:
    page = commands.section("train")
    assert "| `--seed` | `0` | Of everything random. |" in page
    assert "| `--data` | required |" in page
    assert "`--no-resume`" not in page


def test_every_argument_of_every_command_has_a_meaning(made: dict[str, str]) -> None:
    rows = [line for line in made["commands"].splitlines() if line.startswith("| `") and line.count(" | ") == 2]
    assert len(rows) > 100
    assert [row for row in rows if row.endswith("|  |")] == []


def test_a_setting_shows_default_bound_and_the_docstring_below_it(made: dict[str, str]) -> None:
    assert "| `batch_size` | `400` | whole number, at least 1 | Users in a batch;" in made["settings"]
    assert "| `patience_epochs` | `20` | whole number, at least 1 |" in made["settings"]


def test_every_vector_store_and_every_row_that_was_measured_is_shown(made: dict[str, str]) -> None:
    for kind in STORE_KINDS:
        assert f"| `{kind}` |" in made["vector-stores"]
    row = {"recall@20": 0.98, "full lists": 0.9, "ms a user": 0.5, "exact ms a user": 0.25, "breadth": 4, "seconds to write": 2.0}
    rows = stores.measured_rows({"onnx:exact": {"version": "1"}, "faiss:hnsw": {"version": "2", "films": row}})
    assert rows[0] == ["faiss 2", "hnsw", "0.9800 at 4, 10.0% of lists short", "0.50 (0.25)", "–", "–", "2.0"]
    assert rows[1] == ["onnx 1", "exact", "–", "–", "–", "–", "–"]


@pytest.mark.parametrize("kind", STORE_KINDS)
def test_every_index_was_measured_and_finds_enough_or_is_refused_in_a_sentence(kind: str, made: dict[str, str]) -> None:
    measured = json.loads(stores.MEASURED.read_text("utf-8"))
    for index in class_of(kind).indexes:
        films, stretched = (measured[f"{kind}:{index}"][case] for case in stores.CASES)
        assert (films["recall@20"] >= 0.99, films["full lists"], films["users"]) == (True, 1.0, 1000)
        if "refused" in stretched:
            assert stretched["refused"].replace("__main__:Given", "such a model") in made["vector-stores"]
        else:
            assert (stretched["recall@20"] >= 0.95, stretched["full lists"]) == (True, 1.0)


def test_every_format_and_folder_is_described(made: dict[str, str]) -> None:
    from recodiff.data.readers.formats import READERS

    for name in READERS:
        assert f"| `{name}` | " in made["formats"]
    assert "weights.safetensors" in made["formats"]
    assert "dataset.json" in made["formats"]


def test_links_out_of_docs_become_links_of_the_site() -> None:
    assert site_link("../benchmarks/results.md", "results.md", in_docs=True) == "benchmarks/results.md"
    assert site_link("../../benchmarks/notebook/speed.md", "how-to/scale-out.md", in_docs=True) == "../benchmarks/notebook/speed.md"
    assert site_link("../../docs/results.md", "benchmarks/notebook/speed.md", in_docs=False) == "../../results.md"
    assert site_link("tune.md", "how-to/compare.md", in_docs=True) == "tune.md"
    assert site_link("docs/how-to/tune.md", "CONTRIBUTING.md", in_docs=False) == "how-to/tune.md"


def test_a_site_that_fetches_from_outside_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(
        '<link rel="stylesheet" href="own.css"><a href="https://example.org">a link is no fetch</a>'
        '<script src="https://cdn.example.org/x.js"></script><link rel="canonical" href="https://example.org"><pre class="mermaid">'
    )
    (tmp_path / "own.css").write_text("body { background: url('//fonts.example.org/a.woff') }")
    assert outside(tmp_path) == [
        "index.html: <script> https://cdn.example.org/x.js",
        "index.html: <pre> of which the theme's script fetches the drawing or the figures",
        "own.css: //fonts.example.org/a.woff",
    ]
