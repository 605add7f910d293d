"""The allocator's request: made once, never against the user's own settings."""

import ctypes
from pathlib import Path

import pytest

from recodiff.runtime import memory


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    memory.keep_freed_memory.cache_clear()
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
    assert memory.keep_freed_memory()
    assert memory.keep_freed_memory()
    assert Library.calls == 2  # two thresholds


def test_the_users_own_settings_stand(ask: pytest.MonkeyPatch) -> None:
    ask.setenv("MALLOC_TRIM_THRESHOLD_", "1")
    assert not memory.keep_freed_memory()


def test_another_c_library_is_left_alone(ask: pytest.MonkeyPatch) -> None:
    ask.setattr(ctypes, "CDLL", lambda name: object())
    assert not memory.keep_freed_memory()
    assert not memory.give_freed_memory_back()


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (("3000000", "1000000"), 2_000_000),
        (("3000000", "1000000", "anon 9\ninactive_file 500000\nactive_file 7"), 2_500_000),  # what was read is dropped at need
        (("3000000", "1000000", "anon 9"), 2_000_000),
        (("max", "1000000"), 8_192_000),
        (("1", "2"), 0),
        (None, 8_192_000),
    ],
)
def test_a_container_has_no_more_than_it_may_take(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: tuple[str, ...] | None, expected: int
) -> None:
    monkeypatch.setattr(memory, "PROC", tmp_path)
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 8000 kB\n")
    for name, value in zip(("max", "current", "stat"), limit or (), strict=False):
        (tmp_path / f"memory.{name}").write_text(value + "\n")
    assert memory.available_memory() == expected


@pytest.mark.parametrize(
    ("items", "users"), [(0, 1024), (2_810, 1024), (94_949, 353), (300_000, 128), (1_000_000, 128), (10_000_000, 13), (10**9, 1)]
)
def test_scores_are_made_of_as_many_users_as_memory_and_the_reading_of_items_ask(items: int, users: int) -> None:
    assert memory.users_at_once(items, products=True) == users
    assert 8 * items * users <= 2**30 or users == 1
    assert memory.users_at_once(items, products=False) == (users if items < 262_144 else max(1, 2**28 // (8 * items)))
