"""The allocator's request: made once, never against the user's own settings."""

import ctypes
from pathlib import Path

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
    monkeypatch.setattr(allocator, "PROC", tmp_path)
    monkeypatch.setattr(allocator, "CGROUP", tmp_path)
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 8000 kB\n")
    for name, value in zip(("max", "current", "stat"), limit or (), strict=False):
        (tmp_path / f"memory.{name}").write_text(value + "\n")
    assert allocator.available_memory() == expected
