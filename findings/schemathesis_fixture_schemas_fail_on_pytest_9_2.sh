#!/usr/bin/env bash
# schemathesis 4.32.5 with pytest 9.2.0: every test of a schema that comes from a fixture fails before it asks anything.
#
# Expected: `schemathesis.pytest.from_fixture`, the documented way for an application that the test starts itself, runs the test for each
# operation. Its package asks for no older pytest.
# Seen: AttributeError: 'Function' object has no attribute '_nodeid', a private name of pytest that is gone. The same schema asked
# through `get_all_operations` and hypothesis is generated as it should be.
# It matters where an API is fuzzed in the test suite: after an update of pytest these tests fail for a reason that is not the API's.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check schemathesis==4.32.5 pytest==9.2.0
cat > "$folder/test_api.py" <<'PYTHON'
import pytest
import schemathesis
from hypothesis import given, settings

SCHEMA = {
    "openapi": "3.1.0",
    "info": {"title": "shop", "version": "1"},
    "paths": {
        "/items": {
            "get": {
                "parameters": [{"name": "k", "in": "query", "required": True, "schema": {"type": "integer"}}],
                "responses": {"200": {"description": "items"}},
            }
        }
    },
}


@pytest.fixture
def api():
    return schemathesis.openapi.from_dict(SCHEMA)


schema = schemathesis.pytest.from_fixture("api")


@schema.parametrize()
@settings(max_examples=5)
def test_from_a_fixture(case):
    assert "k" in case.query


def test_asked_directly(api):
    for found in api.get_all_operations():

        @settings(max_examples=5)
        @given(case=found.ok().as_strategy())
        def ask(case):
            assert "k" in case.query

        ask()
PYTHON
"$folder/venv/bin/python" -c "import importlib.metadata as m; print('schemathesis', m.version('schemathesis'), 'pytest', m.version('pytest'))"
(cd "$folder" && venv/bin/python -m pytest -q -p no:cacheprovider test_api.py > "$folder/out" 2>&1) || true
grep -E "_nodeid|^FAILED|passed|failed" "$folder/out"
grep -q "'Function' object has no attribute '_nodeid'" "$folder/out" && grep -q "^FAILED test_api.py::test_from_a_fixture" "$folder/out" &&
    grep -q "1 failed, 1 passed" "$folder/out" || { echo "this is no longer how schemathesis goes with pytest"; exit 1; }
