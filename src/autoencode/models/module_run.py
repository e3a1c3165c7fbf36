"""A user's module and its data in the form of a run, for pages that show runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from autoencode.data import Data
from autoencode.models.foreign import ModuleAutoencoder, as_autoencoder, module_data
from autoencode.models.run import Run, data_record

# A folder that does not exist: a module in memory has no log, no snapshots, no saved metrics.
NOWHERE = Path("<module in memory>")


@dataclass(frozen=True)
class ModuleRun(Run):
    """The run of a module in memory: a model and data, and nothing that a training leaves."""

    model: ModuleAutoencoder | None = field(default=None, compare=False)
    loaded: Data | None = field(default=None, compare=False)

    @classmethod
    def of(cls, module: nn.Module, data: Any) -> ModuleRun:
        """The run of a module; `data` as of `module_data`.

        Raises:
            AutoencodeError: as `as_autoencoder` and `module_data`.
        """
        loaded = module_data(data)
        model: ModuleAutoencoder = as_autoencoder(module, loaded)
        return cls(
            NOWHERE / model.recipe.name,
            model.recipe,
            model.sizes,
            "done",
            data_record(loaded),
            {},
            {},
            model=model,
            loaded=loaded,
        )

    def load_model(self) -> ModuleAutoencoder:
        """The module with the interface of a model."""
        assert self.model is not None
        return self.model

    def load_data(self) -> Data:
        """The data that it was given."""
        assert self.loaded is not None
        return self.loaded
