"""The one training loop: epochs over pairs, early stopping, best weights, checkpoints, exact resume, progress.

Shapes: `B` users in a batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from recodiff.config import without_added
from recodiff.data.interactions import Interactions
from recodiff.errors import ModelError
from recodiff.moved import old_names
from recodiff.runtime import distributed, progress
from recodiff.runtime.memory import keep_freed_memory
from recodiff.runtime.run import Run
from recodiff.tensors.random import keyed_generator
from recodiff.training import checkpoint, memory
from recodiff.training.adamw import AdamW
from recodiff.training.checkpoint import Checkpoint, TrainingState
from recodiff.training.ema import Averages
from recodiff.training.metric_names import figure_of
from recodiff.training.pairs import Draw, Pair, users_to_learn_from
from recodiff.training.trainable import Progress, Trainable

EXPLODED = 1000
"""Times the loss it began with, beyond which what was trained is refused: finite, and as useless as NaN. A rate too high makes of a
loss millions of times as much; annealed terms, or other draws of t, do not come near."""
SAVE_AFTER_SECONDS, SAVE_SHARE = 10, 50
"""Between validation checks a checkpoint is written when this long has passed, and this many times what the last one took."""


def train_network(
    model: Trainable,
    data: Interactions,
    run: Run,
    validate: Callable[[Any], Mapping[str, float]] | None = None,
) -> None:
    """Fit a model's network; the best weights by validation are the ones it is left with.

    Args:
        model: declares the network, pairs and parameter groups; gets `module` and `summary`.
        data: what to learn from; users without interactions are passed over.
        run: device, seed, folder, resume.
        validate: figures of the model as it stands, among them `training.metric`; without it every epoch is run and the
            last weights are kept.

    Raises:
        ConfigError: `training.metric` is not among the figures.
        CheckpointError: the checkpoint to resume from belongs to another run.
        ModelError: it cannot fit in memory, or the loss is no longer finite, or that of the weights that are kept is `EXPLODED`
            times what it began with.
    """
    keep_freed_memory()
    loop = _Loop(model, data, run, validate)
    loop.run_epochs()
    model.module.eval()
    model.summary = loop.summary()


class _Loop:
    def __init__(self, model: Trainable, data: Interactions, run: Run, validate: Any) -> None:
        self.model, self.run, self.validate = model, run, validate
        self.settings = model.training
        self.device = run.torch_device
        self.identity = {
            "model": model.config.model_dump(mode="json"),
            "seed": run.seed,
            "data": data.fingerprint(),
            "validation": getattr(validate, "fingerprint", lambda: validate is not None)(),
        }
        named = without_added([type(model.config)], self.identity["model"])
        found = checkpoint.read(run.out, self.identity, named) if run.resume and run.out is not None else None
        distributed.agree(found.state.step if found else 0)
        model.derived = distributed.same(found.parts["derived"] if found else model.derive(data, run))
        self._expect_memory(data)
        model.module = model.build(data.n_items, keyed_generator(run.seed, "init")).to(self.device)
        self.module: nn.Module = model.module
        fused = self.device.type in ("cpu", "cuda")
        self.optimizer = AdamW(model.parameter_groups(self.module), fused=fused)
        pairs = model.pairs()
        self.draw: Draw = pairs.bind(data, model.config.weighting, self.device)
        self.users = torch.from_numpy(users_to_learn_from(data, pairs)).to(self.device)
        self.by_item = checkpoint.slices(self.module, self.optimizer, model.by_item())
        self.best: dict[str, Tensor] = {}
        self.state = TrainingState()
        self.saved_at, self.saving = time.monotonic(), 0.0
        if found:
            self._go_on_from(found)
            for entry in self.state.log:
                self._report(entry)
        self.alike: list[nn.Parameter] = []
        if model.shard:
            self.alike = [p for name, p in self.module.named_parameters() if name not in self.by_item["module"]]
            for p, first in zip(self.alike, distributed.same_in_order([p.detach() for p in self.alike]), strict=True):
                p.data.copy_(first)
        self.forward = self.module if model.shard else distributed.wrap(self.module)
        averaged = distributed.own_slices(found.parts["ema"], self.by_item["ema"], model.shard) if found else {}
        self.averages = Averages(self.module, self.settings.ema, averaged)

    def _expect_memory(self, data: Interactions) -> None:
        here = distributed.on_this_machine()
        expected = memory.estimate(self.model, data, self.device, validated=self.validate is not None, processes=here)
        if expected is None:
            return
        if self.run.tell is not None:
            self.run.tell(str(expected))
        expected.refuse(self.model)

    def run_epochs(self) -> None:
        s, c = self.state, self.settings
        batches = math.ceil(len(self.users) / c.batch_size)
        with progress.bar("training", c.epochs * batches, show=self.run.progress, start=s.step) as advance:
            while not s.finished:
                if s.epoch >= c.epochs:
                    s.finished = "epochs"
                elif s.epoch and self._is_late(0.0):
                    s.finished = "time"
                elif self.validate is not None and s.best_epoch and s.epoch + 1 - s.best_epoch >= c.patience_epochs:
                    s.finished = "patience"
                else:
                    self._epoch(advance)
                    continue
                self.save()
        self.module.load_state_dict(self.best or self.averages.weights, strict=False)
        self._refuse_exploded()

    def _epoch(self, advance: Callable[[int, str], None]) -> None:
        s, c, began = self.state, self.settings, time.perf_counter()
        self.module.train()
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        alone_on_a_cpu = self.device.type == "cpu" and distributed.size() == 1  # to ask a GPU would stop it at every step
        for users in self._batches(s.epoch):
            loss = self._step(users).detach()
            if alone_on_a_cpu and not loss.isfinite():
                raise self._diverged(f"the loss is {float(loss)} in epoch {s.epoch + 1}")
            if s.step == 1:
                s.first_loss = float(self._whole(loss.clone()))
            total += loss * len(users)
            advance(1, self._note())
        total = self._whole(total)
        entry = {"epoch": s.epoch + 1, "loss": float(total) / len(self.users)}
        if not math.isfinite(entry["loss"]):
            raise self._diverged(f"the loss is {entry['loss']} in epoch {s.epoch + 1}")
        s.epoch += 1
        last = s.epoch == c.epochs or self._is_late(time.perf_counter() - began)
        check = self.validate is not None and (s.epoch % c.check_every_epochs == 0 or last)
        if check:
            with self.averages.standing_in():
                entry |= self._check()
        entry["seconds"] = round(time.perf_counter() - began, 4)
        s.seconds += entry["seconds"]
        s.log.append(entry)
        self._report(entry)
        if check or distributed.first_says(time.monotonic() - self.saved_at > max(SAVE_AFTER_SECONDS, SAVE_SHARE * self.saving)):
            self.save()

    def _is_late(self, under_way: float) -> bool:
        """Whether the time of the run is over, after so many seconds of the epoch under way; the same in all processes."""
        longest = self.run.longest
        return longest is not None and distributed.first_says(self.state.seconds + under_way >= longest)

    def _report(self, entry: Mapping[str, float]) -> None:
        if self.run.on_epoch is not None:
            self.run.on_epoch(entry)

    def _batches(self, epoch: int) -> tuple[Tensor, ...]:
        shuffle = keyed_generator(self.run.seed, "shuffle", epoch, device=self.device)
        return self.users[torch.randperm(len(self.users), generator=shuffle, device=self.device)].split(self.settings.batch_size)

    def _whole(self, loss: Tensor) -> Tensor:
        return loss if self.model.shard else distributed.add_up(loss)

    def _diverged(self, how: str) -> ModelError:
        return ModelError(f"{how}: training diverged; lower training.lr={self.settings.lr} and train anew, without --resume")

    @torch.no_grad()
    def _refuse_exploded(self) -> None:
        """Asks the first batch again, as it was asked at first: the last steps have no loss after them."""
        s, buffers = self.state, {name: buffer.clone() for name, buffer in self.module.named_buffers()}
        self.module.train()
        with torch.random.fork_rng(devices=[]):
            loss = float(self._whole(self._forward(self._batches(0)[0], Progress(0, 0))[1].clone()))
        for name, buffer in self.module.named_buffers():  # a loss that is only looked at leaves nothing behind
            buffer.copy_(buffers[name])
        if not math.isfinite(loss) or 0 < EXPLODED * s.first_loss < loss:
            kept = s.best_epoch or s.epoch
            raise self._diverged(f"the loss began at {s.first_loss:.4g} and is {loss:.4g} with the weights of epoch {kept}")

    def _step(self, users: Tensor) -> Tensor:
        """One step; gives the batch's loss, or this process's share of it."""
        s = self.state
        total, loss = self._forward(users, Progress(s.epoch, s.step))
        total.backward()
        distributed.average_gradients(self.alike)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        s.step += 1
        self.averages.update(s.step)
        return loss

    def _forward(self, users: Tensor, at: Progress) -> tuple[Tensor, Tensor]:
        """What to take the gradient of, and the batch's loss, or this process's share of it."""
        generator = keyed_generator(self.run.seed, "step", at.step, device=self.device)
        pair, part = self.draw(users, generator), None if self.model.shard else distributed.batch_slice(len(users))
        if part is None:
            loss = self._losses(pair, at, generator).mean()
            return loss, loss
        losses = self._losses(pair.part(part.start, part.stop), at, distributed.generator_of(generator, part))
        loss = losses.sum() * (part.counts / part.total)
        return loss * distributed.size(), loss  # gradients are averaged over the processes, and the loss is a sum of shares

    def _losses(self, pair: Pair, at: Progress, generator: torch.Generator) -> Tensor:
        """[B]."""
        low = self.settings.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=low):
            return self.forward(pair, at, generator).float()

    def _check(self) -> dict[str, float]:
        s, c = self.state, self.settings
        self.module.eval()
        assert self.validate is not None
        figures = distributed.same_figures(self.validate(self.model))
        value = figure_of(figures, c.metric)
        value = value if c.metric_decimals is None else round(value, c.metric_decimals)
        if value > s.best_value:
            s.best_epoch, s.best_value = s.epoch, value
            self.best = {name: p.detach().clone() for name, p in self.module.named_parameters()}
        return figures

    def _note(self) -> str:
        s, parts = self.state, [f"epoch {self.state.epoch + 1}"]
        parts += [f"loss {s.log[-1]['loss']:.4g}"] if s.log else []
        parts += [f"best {self.settings.metric} {s.best_value:.4f} in epoch {s.best_epoch}"] if s.best_epoch else []
        return ", ".join(parts)

    def summary(self) -> dict[str, Any]:
        s = self.state
        return {
            "epochs": s.epoch,
            "best_epoch": s.best_epoch or s.epoch,
            "stopped_by": s.finished,
            "seconds": round(s.seconds, 2),
            "users": len(self.users),
            "log": s.log,
        }

    def save(self) -> None:
        """Write the checkpoint, where there is a folder for it."""
        if self.run.out is None or not (distributed.leads() or self.model.shard):
            return
        began = time.monotonic()
        parts = {
            "module": self.module.state_dict(),
            "derived": dict(self.model.derived),
            "best": self.best,
            "ema": self.averages.weights,
            "optimizer": checkpoint.slots(self.optimizer),
        }
        parts = {part: distributed.as_slices(own, self.by_item.get(part, {}), self.model.shard) for part, own in parts.items()}
        checkpoint.write_checkpoint(self.run.out, Checkpoint(parts, self.state), self.identity)
        self.saved_at, self.saving = time.monotonic(), time.monotonic() - began

    def _go_on_from(self, found: Checkpoint) -> None:
        self.state = found.state
        parts = {part: distributed.own_slices(found.parts[part], own, self.model.shard) for part, own in self.by_item.items()}
        self.module.load_state_dict(parts["module"])
        self.best = {name: tensor.to(self.device) for name, tensor in parts["best"].items()}
        checkpoint.give_slots(self.optimizer, parts["optimizer"], self.device)


__getattr__ = old_names(__name__)
