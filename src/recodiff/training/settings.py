"""Settings of the training loop and of its optimizer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from recodiff.config import Added, BaseConfig
from recodiff.training.metric_names import DecidingMetric


class TrainingConfig(BaseConfig):
    """Settings of the loop and of AdamW."""

    epochs: int = Field(default=1000, ge=1)
    """At most this many passes over the users."""
    batch_size: int = Field(default=400, ge=1)
    """Users in a batch; the last batch of an epoch may be smaller."""
    lr: float = Field(default=1e-3, gt=0)
    """Learning rate of AdamW."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled weight decay of AdamW."""
    ema: Annotated[float | None, Added()] = Field(default=None, gt=0, lt=1)
    """Decay of an exponential moving average of the weights, see `training.ema`: what is validated and kept is the average."""
    precision: Annotated[Literal["float32", "bfloat16"], Added()] = "float32"
    """What the dense layers multiply in while they learn; weights, sums and everything after training are float32 either way."""
    metric: DecidingMetric = "recall@20"
    """The validation figure that decides: a metric of hits, or `own:NAME`, which a validation function of your own gives."""
    metric_decimals: int | None = Field(default=None, ge=1)
    """Digits it is rounded to before it decides; the released program has 4."""
    check_every_epochs: int = Field(default=5, ge=1)
    """Epochs between validations."""
    patience_epochs: int = Field(default=20, ge=1)
    """No epoch is begun this long after the best one."""
