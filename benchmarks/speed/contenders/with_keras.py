"""Keras on torch."""

from __future__ import annotations

from typing import Any

import keras

from speed.contenders.nets import floats
from speed.contenders.steps import Paused


class Stepped(keras.callbacks.Callback):
    """Says when a step is done."""

    def __init__(self, stepped: Any) -> None:
        super().__init__()
        self.stepped = stepped

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Keras calls it."""
        self.stepped()


def training(folder: str, latent: int) -> Paused:
    """`fit` on an array in memory."""

    def train(stepped: Any) -> None:
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
        model.fit(x, x, batch_size=200, epochs=10**6, verbose=0, callbacks=[Stepped(stepped)])

    return Paused(train)
