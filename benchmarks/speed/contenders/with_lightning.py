"""Lightning, with what it would log and save by itself switched off."""

from __future__ import annotations

from typing import Any

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from speed.contenders.nets import course_net, floats
from speed.contenders.steps import Paused


class Course(lightning.LightningModule):
    """The course's net."""

    def __init__(self, latent: int, stepped: Any) -> None:
        super().__init__()
        self.net, self.stepped = course_net(latent), stepped

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        """The mean squared error of a batch."""
        (x,) = batch
        return nn.functional.mse_loss(self.net(x), x.flatten(1))

    def on_train_batch_end(self, outputs: Any, batch: Any, index: int) -> None:
        """Lightning calls it."""
        self.stepped()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, as everywhere."""
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def training(folder: str, latent: int) -> Paused:
    """Its Trainer over a DataLoader of a tensor in memory."""

    def train(stepped: Any) -> None:
        images = TensorDataset(floats(folder))
        trainer = lightning.Trainer(
            accelerator="cpu",
            max_epochs=-1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        loader = DataLoader(images, batch_size=200, shuffle=True, drop_last=True)
        trainer.fit(Course(latent, stepped), loader)

    return Paused(train)
