"""What a service refuses, as HTTP says it: a status and one sentence that holds no path, no SQL and no traceback."""

from __future__ import annotations


class RefusedError(Exception):
    """A request that is refused.

    Args:
        status: of HTTP, 400 to 599.
        sentence: names the value and the remedy.
        headers: of the answer.
    """

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers or {}


class OverloadedError(RefusedError):
    """Too much is asked at once; the same request may be made again later."""

    def __init__(self, sentence: str, seconds: int = 1) -> None:
        super().__init__(503, sentence, {"Retry-After": str(seconds)})


class StoreDownError(RefusedError):
    """The store of histories does not answer."""

    def __init__(self) -> None:
        super().__init__(503, "the store of histories does not answer; ask again in a few seconds", {"Retry-After": "5"})
