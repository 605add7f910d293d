"""The page of the service: files of this package, and nothing from outside."""

from __future__ import annotations

from functools import cache
from importlib import resources

from fastapi import APIRouter, Response

router = APIRouter(include_in_schema=False)
CONTENT_KINDS = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "words.js": "text/javascript; charset=utf-8",
}


@cache
def content(name: str) -> bytes:
    """A file of the page.

    Args:
        name: of the file.
    """
    return resources.files("recodiff.serving").joinpath("static", name).read_bytes()


@router.get("/")
async def index() -> Response:
    """The page."""
    return Response(content("index.html"), media_type=CONTENT_KINDS["index.html"])


@router.get("/page.css")
async def style() -> Response:
    """How it looks."""
    return Response(content("page.css"), media_type=CONTENT_KINDS["page.css"])


@router.get("/page.js")
async def script() -> Response:
    """What it does."""
    return Response(content("page.js"), media_type=CONTENT_KINDS["page.js"])


@router.get("/words.js")
async def words() -> Response:
    """What it says."""
    return Response(content("words.js"), media_type=CONTENT_KINDS["words.js"])
