"""Lightning, with its log and checkpoints switched off."""

from __future__ import annotations

from typing import Any

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from speed.workloads.nets import course_net, floats
from speed.workloads.steps import ThreadedTrainer


class Course(lightning.LightningModule):
    """The course's network."""

    def __init__(self, latent: int, on_step: Any) -> None:
        super().__init__()
        self.net, self.on_step = course_net(latent), on_step

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        """The mean squared error of a batch."""
        (x,) = batch
        return nn.functional.mse_loss(self.net(x), x.flatten(1))

    def on_train_batch_end(self, outputs: Any, batch: Any, index: int) -> None:
        """Called by Lightning."""
        self.on_step()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, as in the other loops."""
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def training(folder: str, latent: int) -> ThreadedTrainer:
    """Its Trainer over a DataLoader of a tensor in memory."""

    def train(on_step: Any) -> None:
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
        trainer.fit(Course(latent, on_step), loader)

    return ThreadedTrainer(train)
