"""Data: from any interaction log to interactions in train, validation and test parts."""

from recodiff.data.dataset import Dataset
from recodiff.data.download import fetch
from recodiff.data.ids import IdMap
from recodiff.data.interactions import Interactions
from recodiff.data.noise import NaturalNoise, corrupt
from recodiff.data.prepare import prepare
from recodiff.data.readers.log import Log, read_log
from recodiff.data.saving import load_dataset, save_dataset
from recodiff.data.split import SPLITS, AsPublished, HeldOutUsers, LeaveLast, Random, Temporal, TemporalAt, TemporalGlobal
from recodiff.data.synthetic import synthesise, write_synthetic

__all__ = [
    "SPLITS",
    "AsPublished",
    "Dataset",
    "HeldOutUsers",
    "IdMap",
    "Interactions",
    "LeaveLast",
    "Log",
    "NaturalNoise",
    "Random",
    "Temporal",
    "TemporalAt",
    "TemporalGlobal",
    "corrupt",
    "fetch",
    "load_dataset",
    "prepare",
    "read_log",
    "save_dataset",
    "synthesise",
    "write_synthetic",
]
