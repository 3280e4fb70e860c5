"""The autoencoder against the network that public notebooks use, and both against PCA."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.entry import ONE_THREAD, Contestant, Entry, Equality, Goal, Result, Settings
from benchmarks.scan import some_rows

PUBLIC = (500, 500, 2000, 10)  # hidden layers and code; Xie et al. 2016, on many public pages
NEEDED = {2: 1.7, 5: 3.0}  # PCA's held-out error over ours, by rank


def _load(settings: Settings, folder: Path):
    """All 17 columns as z-scores, shape (rows, 17), gaps filled with the median, and a split."""
    import segmentation.autoencoder  # noqa: F401  (loads TensorFlow)
    from customer_tables.table import read_table
    from reproduce_published import spaces
    from segmentation.cleaning import check_types, index_customers, select_columns
    from segmentation.dataset import DATA_FOLDER, load_dataset
    from segmentation.reduction import split_rows

    known = load_dataset("credit_card")
    reading = read_table(DATA_FOLDER / "credit_card" / "customers.csv")
    raw = index_customers(select_columns(reading.table, known).customers, known).customers
    typed = check_types(raw, known).customers
    numbers = typed[[c.name for c in known.columns if c.is_numeric and c.name in typed]]
    scores = some_rows(spaces(numbers)[settings["scores"]], settings["rows"])
    return scores, split_rows(len(scores), 20)


def _pca_errors(scores: np.ndarray, split) -> np.ndarray:
    from sklearn.decomposition import PCA

    seen = np.concatenate([split.train, split.validation])
    held_out, errors = scores[split.held_out], []
    for rank in NEEDED:
        pca = PCA(rank).fit(scores[seen])
        rebuilt = pca.inverse_transform(pca.transform(held_out))
        errors.append(np.square(held_out - rebuilt).mean())
    return np.array(errors)


def _ours(loaded, settings: Settings) -> Result:
    from segmentation.autoencoder import train_autoencoders

    scores, split = loaded
    trained = train_autoencoders(scores, list(NEEDED), [20], split, epochs=settings["epochs"])
    held_out = scores[split.held_out]
    rebuilt = [model.inverse_transform(model.transform(held_out)) for model in trained]
    errors = [np.square(held_out - rows).mean() for rows in rebuilt]
    return {"errors": np.array(errors), "pca": _pca_errors(scores, split)}


def _public(loaded, settings: Settings) -> Result:
    import keras

    scores, split = loaded
    keras.utils.set_random_seed(20)
    *hidden, code = PUBLIC
    layers = [keras.layers.Dense(width, "relu") for width in hidden]
    layers += [keras.layers.Dense(code)]
    layers += [keras.layers.Dense(width, "relu") for width in reversed(hidden)]
    model = keras.Sequential(
        [keras.Input((scores.shape[1],)), *layers, keras.layers.Dense(scores.shape[1])]
    )
    model.compile("adam", "mse")
    seen = scores[np.concatenate([split.train, split.validation])]
    model.fit(seen, seen, batch_size=128, epochs=settings["public_epochs"], verbose=0)
    held_out = scores[split.held_out]
    error = np.square(held_out - model.predict(held_out, verbose=0)).mean()
    return {"errors": np.array([error]), "pca": _pca_errors(scores, split)}


def _against_pca(results: Mapping[str, Result], settings: Settings) -> Equality:
    ours, public = results.values()
    ratios = dict(zip(NEEDED, ours["pca"] / ours["errors"], strict=True))
    told = [f"{ratio:.2f} times at rank {rank}" for rank, ratio in ratios.items()]
    error = public["errors"][0]
    text = f"PCA's held-out error is {', '.join(told)} ours; the public net's is {error:.3f} at"
    text += f" rank {PUBLIC[-1]}, ours {ours['errors'][-1]:.3f} at rank {max(NEEDED)}"
    enough = all(ratios[rank] >= needed for rank, needed in NEEDED.items())
    return Equality(enough or not settings["judged"], text)


AUTOENCODER = Entry(
    name="autoencoder",
    title="Autoencoders of ranks 2 and 5",
    contestants=(
        Contestant("64-64, side by side", _ours, ONE_THREAD),
        Contestant("17-500-500-2000-10, Keras fit", _public),
    ),
    sizes={
        "full": (
            {"rows": 8950, "scores": "log, z-scores", "epochs": 20, "public_epochs": 100,
             "judged": True},
        ),
        "quick": (
            {"rows": 3000, "scores": "log, z-scores", "epochs": 20, "public_epochs": 10,
             "judged": False},
        ),
        "tiny": (
            {"rows": 200, "scores": "log, z-scores", "epochs": 2, "public_epochs": 1,
             "judged": False},
        ),
    },
    load=_load,
    compare=_against_pca,
    goals=(Goal("17-500-500-2000-10, Keras fit", 10.0),),
    rounds={"full": 3, "quick": 3, "tiny": 2},
)  # fmt: skip

ENTRIES = (AUTOENCODER,)
