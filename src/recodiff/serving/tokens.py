"""Who may ask: tokens with a right to read or to write, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Literal

from recodiff.errors import ConfigError
from recodiff.runtime import files

Right = Literal["read", "write"]
LEAST_LENGTH = 16
"""Characters of a token, at least."""


class Tokens:
    """The tokens of a service; none where everybody who reaches it may ask.

    Args:
        rights: token -> what it may do; `write` may read too.
    """

    def __init__(self, rights: dict[str, Right] | None = None) -> None:
        self._hashes: list[tuple[bytes, Right]] = [(_digest(token), right) for token, right in (rights or {}).items()]

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def right(self, token: str) -> Right | None:
        """The right of a token; it takes as long whichever it is, and where it is none.

        Args:
            token: that a request came with.
        """
        digest = _digest(token)
        found: Right | None = None
        for known, right in self._hashes:
            if hmac.compare_digest(digest, known):
                found = right
        return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def read_tokens(path: Path) -> Tokens:
    """Read a file of tokens: `read TOKEN` or `write TOKEN` a line; empty lines and those from # on are left out.

    Args:
        path: the file.

    Raises:
        ConfigError: it cannot be read, a line is of another form, or a token is short.
    """
    rights: dict[str, Right] = {}
    with files.reading(path, ConfigError, "give a file with a line such as: read TOKEN"):
        lines = path.read_text("utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 or words[0] not in ("read", "write"):
            raise ConfigError(f"line {number} of '{path}' is not 'read TOKEN' or 'write TOKEN'; mend it")
        if len(words[1]) < LEAST_LENGTH:
            raise ConfigError(f"the token in line {number} of '{path}' has fewer than {LEAST_LENGTH} characters; take a longer one")
        rights[words[1]] = "write" if words[0] == "write" else "read"
    if not rights:
        raise ConfigError(f"'{path}' holds no token; write a line such as: read TOKEN")
    return Tokens(rights)
