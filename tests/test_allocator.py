"""The allocator's request: made once, never against the user's own settings."""

import ctypes

import pytest

from recodiff import allocator


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    allocator.keep_freed_memory.cache_clear()
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_it_is_asked_once(ask: pytest.MonkeyPatch) -> None:
    class Library:
        calls = 0

        def mallopt(self, what: int, value: int) -> int:
            Library.calls += 1
            return 1

    ask.setattr(ctypes, "CDLL", lambda name: Library())
    assert allocator.keep_freed_memory()
    assert allocator.keep_freed_memory()
    assert Library.calls == 2  # two thresholds


def test_the_users_own_settings_stand(ask: pytest.MonkeyPatch) -> None:
    ask.setenv("MALLOC_TRIM_THRESHOLD_", "1")
    assert not allocator.keep_freed_memory()


def test_another_c_library_is_left_alone(ask: pytest.MonkeyPatch) -> None:
    ask.setattr(ctypes, "CDLL", lambda name: object())
    assert not allocator.keep_freed_memory()
