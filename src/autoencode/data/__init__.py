"""Data: from a name, a path or an array to three checked parts."""

from .catalogue import SOURCES
from .check import Check, PartCheck, check_source
from .fetch import fetch, located
from .records import BadFile, Data, Split, scaled
from .sources import load_data, sample_train

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
]
