"""What a service is asked to serve, and what it lets a request ask for."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from recodiff.config import BaseConfig, refuse
from recodiff.errors import ConfigError

NAME_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""What a served model may be called: it stands in paths."""


class Limits(BaseConfig):
    """The bounds of one request; more is refused with a sentence."""

    body_bytes: int = Field(default=2**20, ge=1024)
    """Size of a request's body."""
    k: int = Field(default=1000, ge=1)
    """Length of a list."""
    history: int = Field(default=1000, ge=1)
    """Items of a history that a request gives."""
    items: int = Field(default=10_000, ge=1)
    """Items that a request excludes, or allows alone."""
    batch: int = Field(default=1000, ge=1)
    """Lists that one request asks for."""
    events: int = Field(default=1000, ge=1)
    """Events that one request appends."""
    stored: int = Field(default=10_000, ge=1)
    """Newest events of a user that are read from the store."""
    explained: int = Field(default=200, ge=1)
    """Newest history items that are each left out to explain a list."""
    found: int = Field(default=100, ge=1)
    """Items that a search answers with."""
    pending: int = Field(default=1024, ge=1)
    """Lists that may wait for the model; beyond it the answer is 503 with Retry-After."""
    seconds: float = Field(default=30.0, gt=0)
    """How long a request may take; after it the answer is 503."""


class ServiceSettings(BaseConfig):
    """The models that are served, and how."""

    runs: dict[str, Path]
    """Name -> model folder; the first is the default."""
    split: dict[str, float] = Field(default_factory=dict)
    """Name -> share of the users whom that model answers in place of the default, by a hash of the user's id."""
    shadow: str | None = None
    """A model that is asked beside the one that answers, and whose list is compared and logged alone."""
    wait_ms: float = Field(default=2.0, ge=0, le=1000)
    """Milliseconds for which a list may wait for others to be scored with, once lists have been coming together."""
    watch_seconds: float = Field(default=2.0, gt=0)
    """How often a model folder is looked at for a newer model."""
    device: str = "cpu"
    """Where to score."""
    trust_code: bool = False
    """Whether a model class from outside recodiff may be imported."""
    limits: Limits = Limits()

    @field_validator("runs")
    @classmethod
    def _named(cls, runs: dict[str, Path]) -> dict[str, Path]:
        for name in runs:
            if not NAME_FORM.fullmatch(name):
                raise ValueError(f"a model cannot be called {name!r}; use letters, digits, '.', '_' and '-', as in NAME=RUN")
        return runs

    @model_validator(mode="after")
    def _agree(self) -> ServiceSettings:
        for name in (*self.split, *([self.shadow] if self.shadow else [])):
            if name not in self.runs:
                refuse(f"'{name}' is not served, the models are {', '.join(self.runs)}; add it, as NAME=RUN")
        if self.default in self.split:
            refuse(f"'{self.default}' is the default and takes the users that --split leaves; name another model")
        if not all(0 < share <= 1 for share in self.split.values()) or sum(self.split.values()) > 1 + 1e-9:
            refuse("shares of users are above 0 and at most 1 in all, such as --split other=0.1")
        return self

    @property
    def default(self) -> str:
        """The model that answers where a request names none."""
        return next(iter(self.runs))


def named_runs(given: list[str]) -> dict[str, Path]:
    """Model folders by name: `NAME=RUN`, or the folder's own name.

    Args:
        given: as on the command line.

    Raises:
        ConfigError: two have one name.
    """
    runs: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        folder = Path(path if equals and NAME_FORM.fullmatch(name) else text)
        name = name if equals and NAME_FORM.fullmatch(name) else folder.resolve().name
        if name in runs:
            raise ConfigError(f"two models are called '{name}'; name them, as in first={runs[name]} second={folder}")
        runs[name] = folder
    return runs


def traffic_shares(given: list[str]) -> dict[str, float]:
    """A map of shares of users by model, from `NAME=SHARE`.

    Args:
        given: as on the command line.

    Raises:
        ConfigError: a text is not of that form.
    """
    found = {}
    for text in given:
        name, _, share = text.partition("=")
        try:
            found[name] = float(share)
        except ValueError:
            raise ConfigError(f"--split {text} says no share; write NAME=SHARE, such as other=0.1") from None
    return found
