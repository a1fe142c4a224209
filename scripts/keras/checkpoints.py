"""Writes test/checkpoints/keras/ with h5py, in the layouts of Keras 3 (`.keras`, `.weights.h5`), of Keras 2.13 (the same with
other folders) and of Keras 2 (`.h5`). Keras itself is not needed: the layouts are those of its module `saving`.

The values of table t (0 to 3: gamma, beta, moving mean, moving variance) of layer k are k + t/10 for every channel.
"""

import io
import json
import pathlib
import zipfile

import h5py
import numpy as np

FOLDER = pathlib.Path(__file__).parents[2] / "test" / "checkpoints" / "keras"
DATE = (1980, 1, 1, 0, 0, 0)


def tables(k, channels, scale=True, center=True, dtype=np.float32):
    kept = [scale, center, True, True]
    return [np.full(channels, k + t / 10, dtype) for t in range(4) if kept[t]]


def norm(name, **options):
    defaults = {"axis": -1, "momentum": 0.99, "epsilon": 0.001, "center": True, "scale": True}
    return {"class_name": "BatchNormalization", "config": {"name": name, **defaults, **options}}


def layer(class_name, **config):
    return {"class_name": class_name, "config": config}


INNER = layer("Functional", name="inner", layers=[layer("InputLayer", name="in"), norm("deep_bn", epsilon=1e-5)])
CONFIG = layer(
    "Functional",
    name="model",
    layers=[
        layer("InputLayer", name="input"),
        layer("Conv2D", name="conv", kernel_initializer=layer("GlorotUniform", seed=None)),
        norm("stem_bn", momentum=0.9, epsilon=1e-5),
        norm("no_scale", scale=False, axis=[3]),
        norm("no_center", center=False, axis=1),
        norm("neither", scale=False, center=False),
        INNER,
        layer("TimeDistributed", name="steps", layer=norm("step_bn")),
        layer("LayerNormalization", name="ln"),
    ],
)


def numbered(file, path, arrays):
    group = file.create_group(f"{path}/vars")
    for i, array in enumerate(arrays):
        group[str(i)] = array


def weights(layers="layers"):
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        numbered(file, f"{layers}/conv2d", [np.zeros((3, 3, 2, 2), np.float32), np.zeros(2, np.float32)])
        numbered(file, f"{layers}/batch_normalization", tables(1, 2))
        numbered(file, f"{layers}/batch_normalization_1", tables(2, 3, scale=False))
        numbered(file, f"{layers}/batch_normalization_2", tables(3, 3, center=False))
        numbered(file, f"{layers}/batch_normalization_3", tables(4, 4, False, False, np.float64))
        numbered(file, f"{layers}/functional/{layers}/batch_normalization", tables(5, 5))
        numbered(file, f"{layers}/time_distributed/layer", tables(6, 2))
        numbered(file, f"{layers}/layer_normalization", [np.ones(2, np.float32), np.zeros(2, np.float32)])
        numbered(file, f"{layers}/input_layer", [])
        numbered(file, "optimizer", [np.int64(7), np.float32(0.1), *tables(9, 2)])
    return memory.getvalue()


def archive(name, data, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(FOLDER / name, "w", compression) as file:
        for entry, content in {"metadata.json": b"{}", "config.json": json.dumps(CONFIG), **data}.items():
            file.writestr(zipfile.ZipInfo(entry, DATE), content, compression)


def named(group, name, arrays, names=("gamma", "beta", "moving_mean", "moving_variance"), suffix=":0"):
    for variable, array in zip(names, arrays):
        group[f"{name}/{variable}{suffix}"] = array


def keras2(name, config, suffix=":0"):
    with h5py.File(FOLDER / name, "w") as file:
        root = file.create_group("model_weights") if config else file
        if config:
            file.attrs["model_config"] = json.dumps(CONFIG)
        file.attrs["keras_version"] = b"2.12.0"
        named(root, "stem_bn/stem_bn", tables(1, 2), suffix=suffix)
        named(root, "no_scale/no_scale", tables(2, 3, scale=False), ("beta", "moving_mean", "moving_variance"), suffix)
        named(root, "inner/deep_bn", tables(5, 5), suffix=suffix)
        named(root, "ln/ln", tables(7, 2)[:2], ("gamma", "beta"), suffix)
        root[f"conv/conv/kernel{suffix}"] = np.zeros((3, 3, 2, 2), np.float32)


FOLDER.mkdir(exist_ok=True)
archive("model.keras", {"model.weights.h5": weights()})
archive("model-2.13.keras", {"model.weights.h5": weights("_layer_checkpoint_dependencies")})
archive("compressed.keras", {"model.weights.h5": weights()}, zipfile.ZIP_DEFLATED)
archive("npz.keras", {"model.weights.npz": b""})
(FOLDER / "model.weights.h5").write_bytes(weights())
keras2("model.h5", True)
keras2("named.weights.h5", False)
keras2("keras-3.h5", True, "")
with h5py.File(FOLDER / "huge.h5", "w") as file:
    file.create_dataset("bn/vars/0", (2**40,), "f4", chunks=(1024,))
with h5py.File(FOLDER / "endless.h5", "w") as file:
    file["a/b"] = np.float32(1)
    for name in ["c", "d", "e"]:
        file[f"a/{name}"] = file["a"]
with h5py.File(FOLDER / "links.h5", "w") as file:
    numbered(file, "bn1", tables(1, 2))
    file["elsewhere"] = h5py.ExternalLink("other.h5", "/bn1")
    file["nowhere"] = h5py.SoftLink("/bn2")
    file["text"] = "text"
print(*(f"{path.name} {path.stat().st_size}" for path in sorted(FOLDER.iterdir())), sep="\n")
