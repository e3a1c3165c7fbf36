"""Data: from a name, a path or an array to three checked parts."""

from autoencode.data.check import Check, PartCheck, check_source
from autoencode.data.load import load_data, sample_train
from autoencode.data.named.catalogue import SOURCES
from autoencode.data.named.fetch import fetch, located
from autoencode.data.records import BadFile, Data, Split, scaled
from autoencode.data.split.binarisation import still

__all__ = [
    "SOURCES",
    "BadFile",
    "Check",
    "Data",
    "PartCheck",
    "Split",
    "check_source",
    "fetch",
    "load_data",
    "located",
    "sample_train",
    "scaled",
    "still",
]
