"""Keras on torch."""

from __future__ import annotations

from typing import Any

import keras

from speed.workloads.nets import floats
from speed.workloads.steps import ThreadedTrainer


class StepCallback(keras.callbacks.Callback):
    """Calls a function after each step."""

    def __init__(self, on_step: Any) -> None:
        super().__init__()
        self.on_step = on_step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Called by Keras."""
        self.on_step()


def training(folder: str, latent: int) -> ThreadedTrainer:
    """`fit` on an array in memory."""

    def train(on_step: Any) -> None:
        assert keras.backend.backend() == "torch"
        x = floats(folder).flatten(1).numpy()
        model = keras.Sequential(
            [
                keras.layers.Input((784,)),
                keras.layers.Dense(512, activation="relu"),
                keras.layers.Dense(latent),
                keras.layers.Dense(512, activation="relu"),
                keras.layers.Dense(784, activation="sigmoid"),
            ]
        )
        model.compile(keras.optimizers.Adam(1e-3), "mse")
        model.fit(x, x, batch_size=200, epochs=10**6, verbose=0, callbacks=[StepCallback(on_step)])

    return ThreadedTrainer(train)
