"""Float32 products by the faster library, and float32 they stay."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from recodiff.runtime import float32
from recodiff.runtime.float32 import fast_products

AMD = "vendor_id : AuthenticAMD\nflags : fpu avx2 avx512f\n"
settings = getattr(torch.backends.mkldnn, "matmul", None)
pytestmark = pytest.mark.skipif(settings is None, reason="this PyTorch has no such setting (before 2.9)")


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    float32._better.cache_clear()
    yield
    float32._better.cache_clear()


def processor(monkeypatch: pytest.MonkeyPatch, folder: Path, about: str) -> None:
    (folder / "cpuinfo").write_text(about)
    monkeypatch.setattr(float32, "CPUINFO", folder / "cpuinfo")


def within() -> str:
    with fast_products():
        return settings.fp32_precision  # pyright: ignore[reportOptionalMemberAccess]


@pytest.mark.parametrize("inner", [1, 37, 2048])
def test_products_within_are_float32s(inner: int) -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(300, inner, generator=generator), torch.randn(inner, 200, generator=generator)
    truth = a.double() @ b.double()
    with fast_products():
        found = a @ b
    assert float((found.double() - truth).norm() / truth.norm()) < 2e-6


def test_what_is_not_finite_stays_where_it_is() -> None:
    a, b = torch.ones(300, 40), torch.ones(40, 200)
    a[3, 7], a[5, 2], b[9, 11] = float("nan"), float("inf"), float("-inf")
    own = a @ b
    with fast_products():
        found = a @ b
    assert torch.equal(found.nan_to_num(7.0, 8.0, 9.0), own.nan_to_num(7.0, 8.0, 9.0))


def test_the_setting_goes_back_even_after_an_error_and_nests() -> None:
    before = settings.fp32_precision  # pyright: ignore[reportOptionalMemberAccess]
    with pytest.raises(RuntimeError, match="inner"), fast_products(), fast_products():
        raise RuntimeError("inner")
    assert settings.fp32_precision == before  # pyright: ignore[reportOptionalMemberAccess]
    assert torch.get_float32_matmul_precision() == "highest"


def test_the_last_of_several_threads_puts_the_setting_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    processor(monkeypatch, tmp_path, AMD)
    both_in, first_out = threading.Barrier(2), threading.Event()
    held: list[str] = []

    def early() -> None:
        with fast_products():
            both_in.wait()
        first_out.set()

    def late() -> None:
        with fast_products():
            both_in.wait()
            first_out.wait()
            held.append(settings.fp32_precision)  # pyright: ignore[reportOptionalMemberAccess]

    threads = [threading.Thread(target=target) for target in (early, late)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept_bits = float32._better()
    assert held == [float32.ONEDNN if kept_bits else float32.UNSET]
    assert settings.fp32_precision == float32.UNSET  # pyright: ignore[reportOptionalMemberAccess]


@pytest.mark.parametrize(
    "about",
    ["", AMD.replace("AuthenticAMD", "GenuineIntel"), AMD.replace("avx512f", ""), AMD + "amx_tile\n"],
    ids=["unknown", "Intel", "without AVX-512", "with AMX"],
)
def test_other_processors_keep_what_they_have(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, about: str) -> None:
    processor(monkeypatch, tmp_path, about)
    assert within() == float32.UNSET


def test_a_system_that_does_not_tell_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(float32, "CPUINFO", tmp_path / "absent")
    assert within() == float32.UNSET


def test_a_choice_of_the_users_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    processor(monkeypatch, tmp_path, AMD)
    settings.fp32_precision = "ieee"  # pyright: ignore[reportOptionalMemberAccess]
    try:
        assert within() == "ieee"
    finally:
        settings.fp32_precision = float32.UNSET  # pyright: ignore[reportOptionalMemberAccess]


def test_what_somebody_sets_within_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    processor(monkeypatch, tmp_path, AMD)
    try:
        with fast_products():
            settings.fp32_precision = "ieee"  # pyright: ignore[reportOptionalMemberAccess]
            assert within() == "ieee"
        assert settings.fp32_precision == "ieee"  # pyright: ignore[reportOptionalMemberAccess]
    finally:
        settings.fp32_precision = float32.UNSET  # pyright: ignore[reportOptionalMemberAccess]


def test_products_of_a_gpu_are_not_its_business() -> None:
    with fast_products(torch.device("cuda")):
        assert settings.fp32_precision == float32.UNSET  # pyright: ignore[reportOptionalMemberAccess]


def test_a_library_that_rounds_is_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    processor(monkeypatch, tmp_path, AMD)
    monkeypatch.setattr(torch, "eye", lambda n: torch.ones(n, n))  # a product that is not what was put in
    assert within() == float32.UNSET
