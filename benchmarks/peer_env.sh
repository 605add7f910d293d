#!/usr/bin/env bash
# Makes .venv-peer, the environment of the peer that benchmarks/peer.py measures, from benchmarks/peer-requirements.txt.
# It holds some 60 packages, torch among them, and takes minutes. PYTHON names the interpreter, 3.11 for the pinned versions.
set -euo pipefail
cd "$(dirname "$0")/.."
wanted=benchmarks/peer-requirements.txt
ready=.venv-peer/.ready
if [[ -f $ready ]] && cmp --silent "$wanted" "$ready"; then
    exit 0
fi
rm -rf .venv-peer
"${PYTHON:-python3}" -m venv .venv-peer
if ! .venv-peer/bin/python -m pip install --quiet --disable-pip-version-check --requirement "$wanted"; then
    echo "the peer's packages could not be installed with $(.venv-peer/bin/python --version) (pip's reason is above): see that pip" \
        "reaches a package registry, name a Python 3.11 as PYTHON, and run benchmarks/peer_env.sh again" >&2
    exit 1
fi
if ! .venv-peer/bin/python -c "from recbole.model.general_recommender import DiffRec"; then
    echo "RecBole is installed but its DiffRec cannot be imported (reason above): $wanted no longer fits this Python" >&2
    exit 1
fi
cp "$wanted" "$ready"
