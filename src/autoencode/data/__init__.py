"""Data: from a name, a path or an array to three checked parts."""

from autoencode.data.binarise import still
from autoencode.data.catalogue import SOURCES
from autoencode.data.check import Check, PartCheck, check_source
from autoencode.data.obtain import fetch, located
from autoencode.data.records import BadFile, Data, Split, scaled
from autoencode.data.sources import load_data, sample_train

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
