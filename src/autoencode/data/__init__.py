"""Data: from a name, a path or an array to three checked parts."""

from typing import TYPE_CHECKING

from autoencode.lazy import attach

if TYPE_CHECKING:
    from autoencode.data.check import Check as Check
    from autoencode.data.check import PartCheck as PartCheck
    from autoencode.data.check import check_source as check_source
    from autoencode.data.load import load_data as load_data
    from autoencode.data.load import load_new as load_new
    from autoencode.data.load import preprocess as preprocess
    from autoencode.data.named.catalogue import SOURCES as SOURCES
    from autoencode.data.named.fetch import fetch as fetch
    from autoencode.data.named.fetch import located as located
    from autoencode.data.preprocessing import Column as Column
    from autoencode.data.preprocessing import Preprocessing as Preprocessing
    from autoencode.data.raw import BadFile as BadFile
    from autoencode.data.records import Data as Data
    from autoencode.data.records import Split as Split
    from autoencode.data.records import scaled as scaled
    from autoencode.data.samples import sample_test as sample_test
    from autoencode.data.samples import sample_train as sample_train
    from autoencode.data.split.binarisation import still as still

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "check": ["Check", "PartCheck", "check_source"],
        "load": ["load_data", "load_new", "preprocess"],
        "samples": ["sample_test", "sample_train"],
        "named.catalogue": ["SOURCES"],
        "named.fetch": ["fetch", "located"],
        "preprocessing": ["Column", "Preprocessing"],
        "raw": ["BadFile"],
        "records": ["Data", "Split", "scaled"],
        "split.binarisation": ["still"],
    },
)
