"""The page in a real browser, on a real socket."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from browser import running_browser
from recodiff import explain, history_of, load_model, recommend
from recodiff.serving.app import create_app
from recodiff.serving.models import Models
from recodiff.serving.service import Service
from recodiff.serving.settings import ServiceSettings
from recodiff.serving.store.base import NewEvent
from recodiff.serving.store.open import open_histories
from recodiff.serving.tokens import Tokens
from served_models import MARKUP, on_a_socket

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TOKEN = "t" * 20
STATIC = resources.files("recodiff.serving").joinpath("static")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


Serve = Callable[..., str]


@pytest.fixture(scope="module")
def serve(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts a service, and gives its address."""
    with ExitStack() as running:

        def start(tokens: Tokens | None = None) -> str:
            store = open_histories(f"sqlite:///{tmp_path_factory.mktemp('page')}/events.db")
            store.append([NewEvent("104", 1000, "anna"), NewEvent("110", 2000, "anna")], None, "")
            settings = ServiceSettings(runs={name: runs[name] for name in ("vectors", "ease", "popularity")})
            return running.enter_context(on_a_socket(create_app(Service(Models(settings), store, tokens))))

        yield start


@pytest.fixture(scope="module")
def address(serve: Serve) -> str:
    return serve()


class Watched:
    """A page, and what its console said."""

    def __init__(self, page: Page) -> None:
        self.page, self.said = page, []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        self.asked: list[str] = []

    def titles(self, where: str) -> list[str]:
        return self.page.locator(f"{where} li .title").all_inner_texts()

    def lists_after(self, act: Callable[[], Any]) -> list[str]:
        """The first list, once it has answered what was done."""
        with self.page.expect_response(re.compile(r"/recommend$")):
            act()
        self.page.wait_for_timeout(150)
        return self.titles("#lists .list:first-child")

    def add(self, text: str) -> list[str]:
        self.page.fill("#search", text)
        self.page.wait_for_selector("#found li[role=option]")
        return self.lists_after(lambda: self.page.press("#search", "Enter"))


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Watched]:
    context = browser.new_context(locale="en-GB", viewport={"width": 1100, "height": 800})
    watched = Watched(context.new_page())
    watched.page.goto(address)
    watched.page.wait_for_selector("#lists li")
    yield watched
    assert watched.said == []
    assert all(url.startswith(address) for url in watched.asked)
    context.close()


def film(item: int) -> str:
    return MARKUP if item == 107 else f"Film {item - 100:02} Été"


def test_a_history_is_built_reordered_and_emptied_by_keyboard(opened: Watched, runs: dict[str, Path]) -> None:
    model = load_model(runs["vectors"])

    def expected(*items: int) -> list[str]:
        return [film(item) for item in recommend(model, history_of(model, items), 10).to_frame()["item"]]

    page = opened.page
    assert page.locator("#lists .hint").first.inner_text() == "No history: the most popular items."
    assert opened.add("ete 04") == expected(104)
    assert opened.add("film 10") == expected(104, 110)
    assert opened.add("01") == expected(104, 110, 101)
    assert opened.titles("#history") == [film(104), film(110), film(101)]
    page.focus("#history li:nth-child(3)")
    opened.lists_after(lambda: page.keyboard.press("Alt+ArrowUp"))
    assert opened.titles("#history") == [film(104), film(101), film(110)]
    assert page.evaluate("document.activeElement.dataset.item") == "101"
    page.keyboard.press("ArrowDown")
    assert opened.lists_after(lambda: page.keyboard.press("Delete")) == expected(104, 101)
    assert opened.lists_after(lambda: page.click("#clear"))[0] == film(
        int(recommend(load_model(runs["popularity"]), history_of(model, []), 1).to_frame()["item"][0])
    )


def test_what_speaks_for_an_item_is_marked_in_the_history(opened: Watched, runs: dict[str, Path]) -> None:
    model = load_model(runs["vectors"])
    opened.add("04")
    opened.add("film 10")
    opened.add("film 05")
    history = history_of(model, [104, 110, 105])
    reasons = explain(model, history, recommend(model, history, 10)).of(0, 0)
    opened.page.hover("#lists li:first-child")
    marked = opened.page.locator("#history li.reason").evaluate_all("rows => rows.map((row) => Number(row.dataset.item))")
    assert sorted(marked) == sorted(item for item, _ in reasons)
    because = opened.page.locator("#lists li:first-child .because").inner_text()
    assert because == f"for it: {' · '.join(film(item) for item, _ in reasons)}"


def test_what_the_newest_changed_is_marked(opened: Watched, address: str) -> None:
    opened.add("04")
    opened.add("film 05")
    with opened.page.expect_response(re.compile(r"/recommend$")) as answer:
        opened.page.select_option("#first", "ease")
    found = json.loads(answer.value.text())
    opened.page.wait_for_timeout(150)
    words = {True: "up", False: "down"}
    expected = []
    for rank, item in enumerate(found["items"], 1):
        before = item["before"]
        moved = "same place" if before == rank else f"{words[before > rank]} {abs(before - rank)}" if before else "new"
        expected.append(moved)
    assert opened.page.locator("#lists .mark").all_inner_texts() == expected
    left = " · ".join(item["title"] for item in found["left"])
    assert opened.page.locator(".left").inner_text() == f"The newest moved out of the list: {left}"


def test_two_models_side_by_side_and_similar_items(opened: Watched) -> None:
    opened.add("04")
    opened.lists_after(lambda: opened.page.select_option("#second", "ease"))
    lists = [opened.titles(f"#lists .list:nth-child({n})") for n in (1, 2)]
    assert opened.page.locator("#lists h2").all_inner_texts() == ["List of vectors", "List of ease"]
    shared = set(lists[0]) & set(lists[1])
    assert (
        set(
            opened.titles("#lists .list:first-child .both")
            or opened.page.locator(".list:first-child .both .title").all_inner_texts()
        )
        == shared
    )
    opened.page.click("#lists .list:first-child li:first-child button:has-text('Similar')")
    opened.page.wait_for_selector("#similar li")
    assert opened.page.locator("#similar-title").inner_text() == f"Similar to {lists[0][0]}"
    assert len(opened.titles("#similar")) == 10
    second = opened.page.locator("#lists .list:nth-child(2)")
    assert second.locator("button:has-text('Similar')").count() == 0  # EASE has no item vectors


def test_a_title_with_markup_stays_text(opened: Watched) -> None:
    opened.page.on("dialog", lambda dialog: pytest.fail(f"a title ran: {dialog.message}"))
    opened.page.fill("#search", "sohne")
    opened.page.wait_for_selector("#found li[role=option]")
    assert opened.page.locator("#found li").all_inner_texts() == [MARKUP]
    opened.lists_after(lambda: opened.page.press("#search", "Enter"))
    assert opened.titles("#history") == [MARKUP]
    assert opened.page.locator("img").count() == 0


def test_a_known_users_history_is_read(opened: Watched) -> None:
    opened.page.fill("#user", "anna")
    opened.lists_after(lambda: opened.page.press("#user", "Enter"))
    assert opened.titles("#history") == [film(104), film(110)]
    opened.page.fill("#user", "none")
    opened.page.press("#user", "Enter")
    opened.page.wait_for_selector("#wrong:not(:empty)")
    assert opened.page.locator("#wrong").inner_text() == "User none has no history here."


def test_the_page_in_chinese(browser: Browser, address: str) -> None:
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("#lists li")
    assert page.evaluate("document.documentElement.lang") == "zh"
    assert page.locator("#history-title").inner_text() == "历史"
    assert not re.search(r"History|Search|Clear", page.locator("body").inner_text())
    page.click("#language")
    assert page.locator("#history-title").inner_text() == "History"
    assert page.locator("#lists h2").inner_text() == "List of vectors"
    context.close()


@pytest.mark.parametrize("width", [320, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_width_light_and_dark(browser: Browser, address: str, width: int, scheme: Any) -> None:
    context = browser.new_context(locale="en-GB", viewport={"width": width, "height": 700}, color_scheme=scheme)
    watched = Watched(context.new_page())
    watched.page.goto(address)
    watched.page.wait_for_selector("#lists li")
    watched.add("04")
    watched.lists_after(lambda: watched.page.select_option("#second", "ease"))
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
    colours = watched.page.evaluate("['color', 'backgroundColor'].map((key) => getComputedStyle(document.body)[key])")
    assert contrast(*colours) > 7
    soft = watched.page.evaluate("getComputedStyle(document.querySelector('.hint')).color")
    assert contrast(soft, colours[1]) > 4.5
    context.close()


def contrast(one: str, other: str) -> float:
    """WCAG's ratio of two colours such as `rgb(1, 2, 3)`."""

    def light(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        return sum(
            w * (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4)
            for w, p in zip((0.2126, 0.7152, 0.0722), parts, strict=True)
        )

    dark, bright = sorted((light(one), light(other)))
    return (bright + 0.05) / (dark + 0.05)


def test_a_token_is_asked_for(browser: Browser, serve: Serve) -> None:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(serve(Tokens({TOKEN: "read"})))
    page.wait_for_selector("#access:not([hidden])")
    assert page.locator("#lists li").count() == 0
    page.fill("#token", TOKEN)
    page.press("#token", "Enter")
    page.wait_for_selector("#lists li")
    assert page.locator("#access").is_hidden()
    context.close()


def test_nothing_comes_from_outside_and_both_languages_say_all(client: TestClient) -> None:
    """Without a browser too."""
    for name in ("index.html", "page.js", "page.css", "words.js"):
        text = STATIC.joinpath(name).read_text("utf-8")
        assert not re.search(r"https?:|//[a-z]+\.|@import|innerHTML|insertAdjacentHTML|eval\(| style=| on[a-z]+=", text), name
        answer = client.get("/" if name == "index.html" else f"/{name}")
        assert answer.text == text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    english, chinese = STATIC.joinpath("words.js").read_text("utf-8").split("  zh: {")
    keys = [set(re.findall(r"(\w+): (?=[\"(])", part)) for part in (english, chinese)]
    assert keys[0] == keys[1]
    assert len(keys[0]) > 30
