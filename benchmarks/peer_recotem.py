"""recotem 2.1 as a service, in its own environment: IALS of given width over random interactions, written as its artefact, served.

python benchmarks/peer_recotem.py ITEMS FACTORS FOLDER

Its recipes search the width themselves. So the artefact is written by its own functions, from an irspack model of the width asked
for. The server is its command, unchanged. Accuracy plays no part: one epoch of training.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

USERS, EACH, NAME = 4_000, 29, "bench"


def main(items: int, factors: int, folder: Path) -> None:
    key = os.environ["RECOTEM_SIGNING_KEYS"] = f"bench:{secrets.token_hex(32)}"
    write(items, factors, folder / "bench.recotem", key)
    (folder / "recipes").mkdir()
    (folder / "bench.csv").write_text("user,item\n")
    (folder / "recipes" / f"{NAME}.yaml").write_text(
        f"name: {NAME}\n"
        f"source: {{type: csv, path: {folder}/bench.csv}}\n"
        "schema: {user_column: user, item_column: item}\n"
        "training: {algorithms: [IALS]}\n"
        f"output: {{path: {folder}/bench.recotem, versioning: always_overwrite}}\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"RECOTEM_ENV": "development", "RECOTEM_MAX_ARTIFACT_BYTES": str(2**32), "RECOTEM_MAX_PAYLOAD_BYTES": str(2**32)}
    print(f"127.0.0.1:{port};", file=sys.stderr, flush=True)
    command = str(Path(sys.executable).with_name("recotem"))
    os.execv(command, [command, "serve", "--recipes", str(folder / "recipes"), "--port", str(port), "--insecure-no-auth"])


def write(items: int, factors: int, path: Path, key: str) -> None:
    """The artefact."""
    import irspack  # pyright: ignore[reportMissingImports]
    from recotem.artifact.io import write_artifact  # pyright: ignore[reportMissingImports]
    from recotem.artifact.signing import KeyRing  # pyright: ignore[reportMissingImports]
    from recotem.training._compat import IDMappedRecommender  # pyright: ignore[reportMissingImports]
    from recotem.version import __version__  # pyright: ignore[reportMissingImports]

    g = np.random.default_rng(0)
    rows = np.repeat(np.arange(USERS), EACH)
    matrix: Any = sparse.csr_matrix((np.ones(len(rows)), (rows, g.integers(0, items, len(rows)))), (USERS, items))
    model = irspack.IALSRecommender(matrix, n_components=factors, train_epochs=1).learn()
    named = IDMappedRecommender(model, [str(user) for user in range(USERS)], [str(item) for item in range(items)])
    header = {
        "recipe_name": NAME,
        "recipe_hash": "0" * 64,
        "recotem_version": __version__,
        "irspack_version": irspack.__version__,
        "trained_at": "2026-01-01T00:00:00Z",
        "best_class": "IALSRecommender",
        "best_params": {"n_components": factors},
        "best_score": 0.0,
        "metric": "ndcg",
        "cutoff": 20,
        "tuning": {},
        "data_stats": {},
    }
    write_artifact(named, header, KeyRing(key), str(path), versioning="always_overwrite")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
