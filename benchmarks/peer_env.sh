#!/usr/bin/env bash
# Makes the environment of a peer from its requirements: `peer_env.sh` RecBole's, .venv-peer, for peer.py; `peer_env.sh rectools`
# RecTools', .venv-peer-rectools, for peer_sasrec.py; `peer_env.sh recotem` recotem's, .venv-peer-recotem, for service.py.
# Some 40 to 60 packages: minutes. PYTHON names the interpreter, 3.11 for the pinned versions; recotem needs 3.12, `python3.12` unless named.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1:-recbole} in
    recbole) suffix= needed="from recbole.model.general_recommender import DiffRec" ;;
    rectools) suffix=-rectools needed="from rectools.models import SASRecModel" ;;
    recotem) suffix=-recotem needed="import recotem.serving.app" ;;
    *) echo "no peer '$1'; peers are recbole, rectools and recotem" >&2; exit 2 ;;
esac
wanted=benchmarks/peer-requirements$suffix.txt
made=.venv-peer$suffix
if [[ -f $made/.ready ]] && cmp --silent "$wanted" "$made/.ready"; then
    exit 0
fi
rm -rf "$made"
usual=python3
[[ $suffix == -recotem ]] && usual=python3.12
"${PYTHON:-$usual}" -m venv "$made"
if ! "$made/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$wanted"; then
    echo "the peer's packages could not be installed with $("$made/bin/python" --version) (pip's reason is above): see that pip" \
        "reaches a package registry, name a Python 3.11 (of recotem 3.12) as PYTHON, and run benchmarks/peer_env.sh ${1:-} again" >&2
    exit 1
fi
if ! "$made/bin/python" -c "$needed"; then
    echo "the packages are installed, but not so that '$needed' works (reason above): $wanted no longer fits this Python" >&2
    exit 1
fi
cp "$wanted" "$made/.ready"
