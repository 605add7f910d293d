#!/usr/bin/env bash
# ONNX Runtime 1.32.0: in an input of strings, a missing value is the text "None", and a number the text that Python writes for it.
#
# Expected: an object array that holds None, NaN or a number is refused where the graph wants strings, as other wrong types are.
# Happens: each is turned into text, None into "None", NaN into "nan", 7.0 into "7.0". A graph that looks ids up finds the item of
# that name where there is one. And text in NumPy's own type (not object) ends at its first NUL character.
# Matters to whoever sends histories as ids: a gap in a history becomes a title called None (there is one) or an unknown id, and an
# id that pandas made 7.0 for the sake of a gap is no longer "7". Nothing says so.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import version

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

keys = ["7", "None", "nan", "a"]
look_up = helper.make_node(
    "LabelEncoder", ["ids"], ["places"], domain="ai.onnx.ml", keys_strings=keys, values_int64s=[0, 1, 2, 3], default_int64=-1
)
graph = helper.make_graph(
    [look_up],
    "catalogue",
    [helper.make_tensor_value_info("ids", TensorProto.STRING, ["n"])],
    [helper.make_tensor_value_info("places", TensorProto.INT64, ["n"])],
)
sets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 2)]
model = helper.make_model(graph, opset_imports=sets, ir_version=8)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def places(ids: np.ndarray) -> list[int]:
    return session.run(None, {"ids": ids})[0].tolist()


print("onnxruntime", version("onnxruntime"), "the catalogue is", keys)
seen = {
    "None, NaN, 7, 7.0 as objects": places(np.array([None, float("nan"), 7, 7.0], dtype=object)),
    "'a' with a NUL behind it and more, as an object": places(np.array(["a\0b"], dtype=object)),
    "the same in NumPy's own type of text": places(np.array(["a\0b"])),
}
for name, found in seen.items():
    print(f"{name}: places {found}")
sys.exit(0 if list(seen.values()) == [[1, 2, 0, -1], [-1], [3]] else 1)
PY
