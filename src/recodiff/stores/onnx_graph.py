"""A model as one ONNX graph: ids of a history in, ids and scores of the k best unseen items out.

Shapes: `B` histories, `M` places of the longest, `I` items, `h1` and `hL` first and last hidden widths.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from recodiff.data.interactions import IdMap
from recodiff.data.weighting import Age, Weighting
from recodiff.diffusion.hidden import HiddenChain
from recodiff.errors import ModelError
from recodiff.models.base import Recommender
from recodiff.models.batch import Batch
from recodiff.stores.manifest import needed
from recodiff.tensors.rows import Rows

MOST_BYTES = 1_500_000_000
"""Of an item-item table in a graph, which is one file of less than 2 GiB."""
PAD = {pl.Int64: -(2**63), pl.String: ""}
"""What fills a shorter history and a shorter list, by the type of the ids."""
OPSET, ML_OPSET = 17, 2


class OnnxGraph:
    """Nodes and constants of a graph, put down one after the other."""

    def __init__(self) -> None:
        self._onnx = needed("onnx", "onnx onnxruntime")
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Any) -> str:
        """A constant; its name.

        Args:
            value: an array.
        """
        name = f"c{len(self.constants)}"
        array = np.asarray(value)
        self.constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def put(self, operator: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """A node; the name of what it gives, or the names.

        Args:
            operator: its name in ONNX.
            inputs: names of values.
            outputs: how many values it gives.
            domain: of the operator.
            attributes: of the operator, by name.
        """
        names = [f"n{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(self._onnx.helper.make_node(operator, inputs, names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def model(self, ids: Any, items: str, scores: str) -> Any:
        """The graph as a model: inputs `history` [B, M] and `k` [1], outputs `items` and `scores` [B, k].

        Args:
            ids: the type of the ids, as polars has it.
            items: the name of the positions or ids.
            scores: the name of the scores.
        """
        helper, kinds = self._onnx.helper, self._onnx.TensorProto
        kind = kinds.STRING if ids == pl.String else kinds.INT64
        for name, made in (("items", items), ("scores", scores)):
            self.nodes.append(helper.make_node("Identity", [made], [name]))
        given = [helper.make_tensor_value_info("history", kind, ["B", "M"]), helper.make_tensor_value_info("k", kinds.INT64, [1])]
        found = [
            helper.make_tensor_value_info("items", kind, ["B", "K"]),
            helper.make_tensor_value_info("scores", kinds.FLOAT, ["B", "K"]),
        ]
        used = {name for node in self.nodes for name in node.input}  # of others onnxruntime warns at every start
        constants = [constant for constant in self.constants if constant.name in used]
        graph = helper.make_graph(self.nodes, "recodiff", given, found, constants)
        sets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
        return helper.make_model(graph, opset_imports=sets, ir_version=8, producer_name="recodiff")


class GraphArray:
    """A value of a graph with the arithmetic of an array: a formula written for arrays puts down its nodes.

    Args:
        graph: where the nodes go.
        name: of the value in it.
    """

    def __init__(self, graph: OnnxGraph, name: str) -> None:
        self.graph, self.name = graph, name

    def _put(self, operator: str, one: GraphArray | float, other: GraphArray | float) -> GraphArray:
        names = [each.name if isinstance(each, GraphArray) else self.graph.constant(np.float32(each)) for each in (one, other)]
        return GraphArray(self.graph, self.graph.put(operator, *names))

    def __add__(self, other: GraphArray | float) -> GraphArray:
        return self._put("Add", self, other)

    def __radd__(self, other: float) -> GraphArray:
        return self._put("Add", other, self)

    def __sub__(self, other: GraphArray | float) -> GraphArray:
        return self._put("Sub", self, other)

    def __mul__(self, other: GraphArray | float) -> GraphArray:
        return self._put("Mul", self, other)

    def __rmul__(self, other: float) -> GraphArray:
        return self._put("Mul", other, self)

    def __truediv__(self, other: GraphArray | float) -> GraphArray:
        return self._put("Div", self, other)

    def __pow__(self, other: float) -> GraphArray:
        return self._put("Pow", self, other)

    def __rpow__(self, other: float) -> GraphArray:
        return self._put("Pow", other, self)

    def __neg__(self) -> GraphArray:
        return self * -1.0

    def clip(self, least: float) -> GraphArray:
        """The value where it is greater than `least`, else that."""
        return self._put("Max", self, least)


def graph_of(model: Recommender) -> Any:
    """The ONNX model of a model.

    Args:
        model: a fitted model.

    Raises:
        ModelError: it cannot be written so.
        MissingExtraError: onnx is not installed.
    """
    graph, items = OnnxGraph(), model.items
    places, known = _places(graph, items)
    known = _newest(graph, places, known)
    rows = _weighted_rows(graph, model, places, known, len(items))
    scores = _scores(graph, model, rows)
    unseen = _scattered(
        graph, places, graph.put("Where", known, graph.constant(np.float32(-np.inf)), graph.constant(np.float32(0))), len(items)
    )
    values, best = graph.put("TopK", graph.put("Add", scores, unseen), "k", outputs=2, axis=1)
    ids = graph.put("Gather", graph.constant(_array(items)), best)
    gone = graph.put("IsInf", values)
    return graph.model(items.ids.dtype, graph.put("Where", gone, graph.constant(_pad(items)), ids), values)


def _array(items: IdMap) -> NDArray[Any]:
    return np.array(items.ids.to_list(), dtype=object) if items.ids.dtype == pl.String else items.ids.to_numpy()


def _pad(items: IdMap) -> NDArray[Any]:
    return np.array(PAD[type(items.ids.dtype)], dtype=object if items.ids.dtype == pl.String else np.int64)


def _places(graph: OnnxGraph, items: IdMap) -> tuple[str, str]:
    """Positions int64 [B, M] of a history's ids, I where there is none, and which of them are known."""
    kind = "strings" if items.ids.dtype == pl.String else "int64s"
    keys = {f"keys_{kind}": items.ids.to_list(), "values_int64s": list(range(len(items))), "default_int64": len(items)}
    places = graph.put("LabelEncoder", "history", domain="ai.onnx.ml", **keys)
    return places, graph.put("Less", places, graph.constant(np.int64(len(items))))


def _newest(graph: OnnxGraph, places: str, known: str) -> str:
    """Which places hold a known item that does not come again later: what stands twice counts once, where it came last."""
    axes = [graph.constant(np.array([axis], np.int64)) for axis in (1, 2)]
    here, there = (graph.put("Unsqueeze", places, axis) for axis in reversed(axes))
    same = graph.put("Cast", graph.put("Equal", here, there), to=1)
    later = graph.put("ReduceSum", graph.put("Trilu", same, graph.constant(np.int64(1)), upper=1), axes[1], keepdims=0)
    return graph.put("And", known, graph.put("Less", later, graph.constant(np.float32(0.5))))


def _weighted_rows(graph: OnnxGraph, model: Recommender, places: str, known: str, n_items: int) -> str:
    """Histories as weighted rows, float32 [B, I]."""
    counted = graph.put("Cast", known, to=1)
    weights = _weights(graph, model.config.weighting, counted)
    return _scattered(graph, places, graph.put("Mul", weights, counted), n_items)


def _weights(graph: OnnxGraph, weighting: Weighting, counted: str) -> str:
    """What each place of a history counts, [B, M], by the weighting's own formula; its newest item is the last known one."""
    if weighting.needs_clock:
        raise ModelError("a weighting by days needs the times of a history, which an ONNX graph does not take; use unit = 'items'")
    until = GraphArray(graph, graph.put("CumSum", counted, graph.constant(np.int64(1))))
    length = GraphArray(graph, graph.put("ReduceSum", counted, graph.constant(np.array([1], np.int64)), keepdims=1))
    return weighting.factors(Age(length - until, length)).name


def _scattered(graph: OnnxGraph, places: str, values: str, n_items: int) -> str:
    """Values [B, M] at their places of a row of zeros, [B, I]; what has no place goes into a column that is cut off."""
    size = graph.put("Gather", graph.put("Shape", places), graph.constant(np.array([0], np.int64)))
    shape = graph.put("Concat", size, graph.constant(np.array([n_items + 1], np.int64)), axis=0)
    zeros = graph.put("Expand", graph.constant(np.float32(0)), shape)
    rows = graph.put("ScatterElements", zeros, places, values, axis=1, reduction="add")
    edges = [graph.constant(np.array([number], np.int64)) for number in (0, n_items, 1)]
    return graph.put("Slice", rows, *edges)


def _scores(graph: OnnxGraph, model: Recommender, rows: str) -> str:
    if chain := model.hidden_chain():
        return _diffused(graph, chain, rows)
    if model.traits.remembers_users:
        raise ModelError(f"{model.registered} remembers its users, and an ONNX graph takes histories alone; write lists instead")
    if model.traits.reads_order or model.history_views or model.components():
        raise ModelError(
            f"{model.registered} is not among the models that can be written as ONNX: closed forms, item-item models, popularity "
            "and DiffRec on rows; use a store of vectors, or write lists"
        )
    return _affine(graph, model, rows)


def _diffused(graph: OnnxGraph, chain: HiddenChain, rows: str) -> str:
    """The chain between the hidden layers, see `diffusion.hidden`: y_{t-1} = c1 (M g + W c) + c2 y, g = hidden(y + U e + b)."""
    denoiser = chain.denoiser
    act = denoiser.activation

    def hidden(y: str, t: int) -> str:
        g = _activated(graph, act, graph.put("Add", y, _of(graph, chain.step_bias[t])))
        for layer in denoiser.body:
            z = graph.put("Add", graph.put("MatMul", g, _of(graph, layer.weight.T)), _of(graph, layer.bias))
            g = _activated(graph, act, z)
        return g

    y, between, shift = graph.put("MatMul", rows, _of(graph, chain.first_t)), _of(graph, chain.between_t), chain.shift
    for t in reversed(range(1, len(chain.c1))):
        step = graph.put("MatMul", hidden(y, t), between)
        step = graph.put("Mul", graph.put("Add", step, _of(graph, shift)), graph.constant(np.float32(chain.c1[t])))
        y = graph.put("Add", graph.put("Mul", y, graph.constant(np.float32(chain.c2[t]))), step)
    last = denoiser.last
    return graph.put("Add", graph.put("MatMul", hidden(y, 0), _of(graph, last.weight.T)), _of(graph, last.bias))


def _activated(graph: OnnxGraph, activation: str, z: str) -> str:
    match activation:
        case "silu":
            return graph.put("Mul", z, graph.put("Sigmoid", z))
        case "gelu":
            bell = graph.put("Erf", graph.put("Mul", z, graph.constant(np.float32(0.5**0.5))))
            half = graph.put("Mul", z, graph.constant(np.float32(0.5)))
            return graph.put("Mul", half, graph.put("Add", bell, graph.constant(np.float32(1))))
        case "tanh" | "relu":
            return graph.put(activation.capitalize(), z)
    return z


def _of(graph: OnnxGraph, tensor: Any) -> str:
    return graph.constant(tensor.detach().cpu().numpy().astype(np.float32))


def _affine(graph: OnnxGraph, model: Recommender, rows: str) -> str:
    """x B + c, taken from the scores of each item alone; whether they are of that form is tested on the whole graph."""
    n = len(model.items)
    if 4 * n * n > MOST_BYTES:
        raise ModelError(
            f"{model.registered} on {n:,} items is a table of {4 * n * n / 2**30:.1f} GiB, and an ONNX file holds less than 2; "
            "keep fewer items, or write lists"
        )
    device = model.device
    with torch.inference_mode():
        none = Rows(torch.zeros(2, dtype=torch.long), torch.zeros(0, dtype=torch.long), torch.zeros(0), n).to(device)
        shift = model.score(Batch(none))
        blocks = [
            model.score(Batch(Rows(torch.arange(len(part) + 1), part, torch.ones(len(part)), n).to(device))) - shift
            for part in torch.arange(n).split(512)
        ]
    return graph.put("Add", graph.put("MatMul", rows, _of(graph, torch.cat(blocks))), _of(graph, shift))
