"""Keras autoencoders, plain and clustering; the only module that imports TensorFlow.

It does so where a network is trained: what kept networks and codes say needs no TensorFlow.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from segmentation.kmeans import assign
from segmentation.reduction import Split

RATE_KEPT = 0.9  # of the learning rate, from one epoch to the next


@contextmanager
def _quiet():
    """Silence file descriptor 2, where TensorFlow writes while it starts at any log level."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@cache
def _libraries() -> tuple[Any, Any]:
    """Load Keras and TensorFlow, and settle on one core.

    That is no slower for networks this small, and gives the same bits everywhere.
    """
    with _quiet():
        import keras
        import tensorflow as tf

        try:
            tf.config.set_visible_devices([], "GPU")
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        except RuntimeError:  # the caller has used TensorFlow already: the settings stand
            pass
        tf.zeros(1)  # starts it
    return keras, tf


@dataclass(frozen=True)
class Autoencoder:
    """A trained network as its weights.

    `weights` holds kernel and bias of each layer, `history` the loss in each epoch on training
    and validation rows up to the end of its training, `kept` the epoch its weights are from,
    `centres` (k x rank) is for clustering autoencoders.
    """

    rank: int
    seed: int
    weights: list[np.ndarray]
    history: pd.DataFrame
    kept: int
    centres: np.ndarray | None = None

    def transform(self, matrix) -> np.ndarray:
        """Encode rows (rows x features) as a code (rows x rank)."""
        return _through(self.weights[: len(self.weights) // 2], matrix)

    def inverse_transform(self, code) -> np.ndarray:
        """Rebuild rows (rows x features) from their code (rows x rank)."""
        return _through(self.weights[len(self.weights) // 2 :], code)

    def assign(self, matrix) -> np.ndarray:
        """Find the number of the nearest centre for each row."""
        return assign(self.transform(matrix), np.asarray(self.centres))


class _SideBySide:
    """Symmetric autoencoders in one Keras graph, where they train faster than one by one.

    They share no weight. Network j narrows to a code of ``ranks[j]`` numbers (zeros fill up to
    the widest) and draws its first weights from ``seeds[j]``.
    """

    def __init__(self, features: int, hidden: Sequence[int], ranks, seeds) -> None:
        keras, tf = _libraries()
        self.seeds, count, widest = seeds, len(seeds), max(ranks)
        draws = [keras.initializers.GlorotUniform(keras.random.SeedGenerator(s)) for s in seeds]

        def start(shape, dtype=None):
            return tf.stack([draw(shape[1:], dtype) for draw in draws])  # noqa: PD013

        def dense(width, activation=None):  # a Dense layer for each network n, over all rows r
            return keras.layers.EinsumDense(
                "rni,nio->rno", (count, width), activation, "no", kernel_initializer=start
            )

        rows = keras.Input((features,))
        x = keras.layers.RepeatVector(count)(rows)
        for width in hidden:
            x = dense(width, "relu")(x)
        within_rank = np.arange(widest) < np.array(ranks)[:, None]
        self.encoder = keras.Model(rows, dense(widest)(x) * within_rank.astype("float32"))

        code = x = keras.Input((count, widest))
        for width in reversed(hidden):
            x = dense(width, "relu")(x)
        self.decoder = keras.Model(code, dense(features)(x))
        self.weights = self.encoder.trainable_variables + self.decoder.trainable_variables

    @classmethod
    def rebuild(cls, trained: Sequence[Autoencoder]) -> _SideBySide:
        """Put trained autoencoders of one shape side by side."""
        layers = trained[0].weights[::2]
        features, *hidden = [len(kernel) for kernel in layers[: len(layers) // 2]]
        self = cls(features, hidden, [one.rank for one in trained], [one.seed for one in trained])
        for number, weight in enumerate(self.weights):
            weight.assign(np.stack([one.weights[number] for one in trained]))
        return self

    def errors(self, rows):
        """Mean squared error of each network."""
        _, tf = _libraries()
        rebuilt = self.decoder(self.encoder(rows))
        return tf.reduce_mean(tf.square(rebuilt - rows[:, None]), axis=(0, 2))

    def epoch_runner(self, losses, arrays, batch: int, rate: float, others=()):
        """Return what runs one epoch of Adam over such arrays and gives each network's loss.

        The rate falls from epoch to epoch, whatever the largest number of epochs: a rate that
        reaches zero with the last of them would make the last the best.
        """
        keras, tf = _libraries()
        weights, rows = [*self.weights, *others], len(arrays[0])
        batch = min(batch, max(rows // 16, min(rows, 16)))  # few rows still give many steps
        steps = rows // batch  # rows left over have their turn in another epoch's order
        schedule = keras.optimizers.schedules.ExponentialDecay(rate, steps, RATE_KEPT)
        optimiser, random = keras.optimizers.Adam(schedule), np.random.default_rng(rows)
        optimiser.build(weights)

        @tf.function(autograph=False)  # a whole epoch is one call into the graph
        def run(order, *arrays):
            def one(step, total):
                chosen = order[step * batch : (step + 1) * batch]
                with tf.GradientTape() as tape:
                    found = losses(*[tf.gather(array, chosen) for array in arrays])
                optimiser.apply(tape.gradient(found, weights), weights)
                return step + 1, total + found / steps

            begin = tf.constant(0), tf.zeros(len(self.seeds))
            return tf.while_loop(lambda step, _: step < steps, one, begin)[1]

        graph = run.get_concrete_function(tf.range(rows, dtype="int64"), *arrays)
        return lambda *arrays: graph(tf.constant(random.permutation(rows)), *arrays).numpy()


def train_autoencoders(
    matrix,
    ranks: Sequence[int],
    seeds: Sequence[int],
    split: Split,
    *,
    hidden: Sequence[int] = (64, 64),
    epochs: int = 50,
    patience: int = 8,
    gain: float = 0.01,
    batch: int = 128,
    rate: float = 0.01,
) -> list[Autoencoder]:
    """Train an autoencoder for each rank and seed: Adam on the mean squared error.

    Early stopping (Prechelt 1998): a network's training ends when its loss on the validation
    rows has not fallen by a share `gain` for `patience` epochs, and the weights of the last such
    fall are kept. Held-out rows stay unseen. The seed sets the first weights; all networks meet
    the rows in one order. Codes have mean 0 and standard deviation 1 on the training rows.
    """
    _, tf = _libraries()
    values = np.asarray(matrix, dtype=np.float32)
    pairs = [(rank, seed) for rank in ranks for seed in seeds]
    networks = _SideBySide(values.shape[1], hidden, *zip(*pairs, strict=True))
    train, validation = tf.constant(values[split.train]), tf.constant(values[split.validation])
    one_epoch = networks.epoch_runner(networks.errors, [train], batch, rate)
    best, history = [weight.numpy().copy() for weight in networks.weights], []
    lowest, kept = np.full(len(pairs), np.inf), np.zeros(len(pairs), dtype=int)
    for epoch in range(epochs):
        history.append((one_epoch(train), networks.errors(validation).numpy()))
        still = epoch - kept <= patience  # those that ended run on beside the others, unheard
        better = still & (history[-1][1] < lowest * (1 - gain))
        lowest[better], kept[better] = history[-1][1][better], epoch
        for own, weight in zip(best, networks.weights, strict=True):
            own[better] = weight.numpy()[better]
        if (epoch - kept >= patience).all():
            break
    for weight, own in zip(networks.weights, best, strict=True):
        weight.assign(own)
    codes, losses = networks.encoder(train).numpy().astype(np.float64), np.array(history)
    curves = [_table(losses[: at + patience + 1, :, j]) for j, at in enumerate(kept)]
    return [
        Autoencoder(rank, seed, _scaled(best, j, codes[:, j, :rank]), curves[j], int(kept[j]))
        for j, (rank, seed) in enumerate(pairs)
    ]


def train_clustering_autoencoders(
    matrix,
    trained: Sequence[Autoencoder],
    centres: Sequence[np.ndarray],
    split: Split,
    *,
    weight: float = 0.1,
    epochs: int = 20,
    tolerance: float = 0.001,
    batch: int = 128,
    rate: float = 0.001,
) -> list[Autoencoder]:
    """Train autoencoders of one rank further, pulling codes to centres that move along.

    The loss is the reconstruction's plus `weight` times the Kullback-Leibler divergence of soft
    assignments (Student's t) from a target that sharpens them, made anew in each epoch. Stops
    when fewer than `tolerance` of the training rows change their centre.

    `centres` are the first ones of each network (k x rank), from K-Means on its code.

    References
    ----------
    Xie, Girshick & Farhadi, "Unsupervised deep embedding for clustering analysis", ICML 2016.
    Guo et al., "Improved deep embedded clustering with local structure preservation", IJCAI
    2017: keeps the reconstruction in the loss.
    """
    keras, tf = _libraries()
    values = np.asarray(matrix, dtype=np.float32)
    networks, history, before = _SideBySide.rebuild(trained), [], -1
    train, validation = tf.constant(values[split.train]), tf.constant(values[split.validation])
    moving = keras.Variable(np.stack(centres), dtype="float32")

    def memberships(rows):
        away = networks.encoder(rows)[:, :, None] - moving
        near = 1 / (1 + tf.reduce_sum(tf.square(away), axis=-1))
        return near / tf.reduce_sum(near, axis=-1, keepdims=True)

    def losses(rows, target):
        divergence = tf.reduce_sum(target * tf.math.log(target / memberships(rows)), axis=-1)
        return networks.errors(rows) + weight * tf.reduce_mean(divergence, axis=0)

    one_epoch = networks.epoch_runner(losses, [train, memberships(train)], batch, rate, [moving])
    for _ in range(epochs):
        shares = memberships(train).numpy()
        nearest = shares.argmax(axis=-1)
        if ((nearest != before).mean(axis=0) < tolerance).all():
            break
        target, before = shares**2 / shares.sum(axis=0), nearest
        target /= target.sum(axis=-1, keepdims=True)
        history.append((one_epoch(train, target), networks.errors(validation).numpy()))
    ends, curves = [weight.numpy() for weight in networks.weights], np.array(history)
    last = len(curves) - 1
    return [
        Autoencoder(
            one.rank, one.seed, [end[j] for end in ends], _table(curves[..., j]), last, centre
        )
        for j, (one, centre) in enumerate(zip(trained, moving.numpy(), strict=True))
    ]


def _through(weights: Sequence[np.ndarray], rows) -> np.ndarray:
    """Pass rows through dense layers with a rectifier between each and the next."""
    rows = np.asarray(rows, dtype=np.float64)
    for at in range(0, len(weights), 2):
        rows = (np.maximum(rows, 0) if at else rows) @ weights[at] + weights[at + 1]
    return rows


def _table(history: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(history.astype(float), columns=["loss", "val_loss"]).rename_axis("epoch")


def _scaled(weights: list[np.ndarray], network: int, code: np.ndarray) -> list[np.ndarray]:
    """Cut one network to its rank and scale its code; the decoder makes up for it exactly."""
    rank, mean, spread = code.shape[1], code.mean(axis=0), code.std(axis=0)
    spread[spread == 0] = 1
    own, middle = [weight[network] for weight in weights], len(weights) // 2
    kernel, bias, onward, shift = own[middle - 2 : middle + 2]
    own[middle - 2 : middle] = kernel[:, :rank] / spread, (bias[:rank] - mean) / spread
    own[middle : middle + 2] = onward[:rank] * spread[:, None], shift + mean @ onward[:rank]
    return [weight.astype(np.float32) for weight in own]
