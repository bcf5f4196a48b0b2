"""Files of a few hundred kilobytes that are to hurt who loads them: by memory, by time, or by what they nest."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.stylegan2.pickles import FLOATS, PROTO, archive, name, storage, text

SIZE = 1 << 18
# The globals that the files call.
DICTIONARY, TENSOR = name("collections", "OrderedDict"), name("torch._utils", "_rebuild_tensor_v2")
RELEASED = name("torch_utils.persistence", "_reconstruct_persistent_obj")
TENSORFLOW = name("dnnlib.tflib.network", "Network")

# A tuple nested a quarter of a million deep.
DEEP = b")" + b"\x85" * SIZE
# A list of two lists of two lists …: 2**200 at the bottom.
SHARED = b"]q\x070" + b"](h\x07h\x07eq\x070" * 200 + b"h\x07"


def number(value: int) -> bytes:
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def dictionary(**items: bytes) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def release(state: bytes, children: bytes = b"}", kind: str = "Generator") -> bytes:
    """A file of NVIDIA's release whose network has an attribute, and modules within."""
    inner = dictionary(_parameters=b"}", _buffers=b"}", _modules=children) + text("x") + state + b"s"
    return PROTO + dictionary(G_ema=module(inner, kind)) + b"."


def module(state: bytes, kind: str) -> bytes:
    return RELEASED + dictionary(class_name=text(kind), state=state) + b"\x85R"


def alias_free(kernel: bytes) -> bytes:
    part = module(dictionary(_parameters=b"}", _buffers=b"}", _modules=b"}", conv_kernel=kernel), "SynthesisInput")
    synthesis = module(dictionary(_parameters=b"}", _buffers=b"}", _modules=dictionary(input=part)), "SynthesisNetwork")
    return release(b"N", dictionary(synthesis=synthesis))


def layers(attribute: str, value: bytes, kind: str = "Conv2dLayer") -> bytes:
    """A released discriminator whose layers have a setting of a strange kind."""
    layer = module(dictionary(_parameters=b"}", _buffers=b"}", _modules=b"}", **{attribute: value}), kind)
    return release(b"N", dictionary(b4=layer), "Discriminator")


def tensorflow(**settings: bytes) -> bytes:
    state = dictionary(version=b"K\x04", variables=b"]", static_kwargs=dictionary(**settings), components=b"}")
    network = TENSORFLOW + b")\x81" + state + b"b"
    return PROTO + b"(" + network * 3 + b"t."


def tensors(names: int, shape: tuple[int, ...], stride: tuple[int, ...], count: int, form: str) -> bytes:
    """A state dict of tensors that all view one storage."""
    sizes = [b"(" + b"".join(number(n) for n in values) + b"t" for values in (shape, stride)]
    view = TENSOR + b"(" + storage(FLOATS, "0", number(count)) + b"K\x00" + sizes[0] + sizes[1] + b"\x89N"
    made = view + b"tRq\x01"
    entries = text(form.format(0)) + made + b"".join(text(form.format(k)) + b"h\x01" for k in range(1, names))
    return archive({"data.pkl": PROTO + b"}(" + entries + b"u.", "data/0": bytes(4 * count)})


def safetensors_file(config: dict[str, Any], shapes: dict[str, tuple[int, ...]] | None = None) -> bytes:
    header: dict[str, Any] = {
        "__metadata__": {
            "format": "stylegan2-network",
            "version": "1",
            "kind": "generator",
            "config": json.dumps(config),
        }
    }
    end = 0
    for key, shape in (shapes or {"a": (1,)}).items():
        start, end = end, end + 4 * int(np.prod(shape))
        header[key] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    content = json.dumps(header).encode()
    return struct.pack("<Q", len(content)) + content + bytes(end)


def nested_twice(depth: int) -> bytes:
    """Modules that hold the next one fifty times: 50**depth paths."""
    inner = dictionary(_parameters=b"}", _buffers=b"}", _modules=b"}")
    made = module(inner, "SynthesisLayer") + b"q\x05"
    body = made
    for _ in range(depth):
        children = b"}(" + b"".join(text(f"m{k}") + b"h\x05" for k in range(50)) + b"u"
        body += b"0" + module(dictionary(_parameters=b"}", _buffers=b"}", _modules=children), "X") + b"q\x05"
    return PROTO + body + b"0" + dictionary(G_ema=b"h\x05") + b"."


def archive_of_one_piece(count: int) -> bytes:
    """A zip whose members all are the same bytes."""
    whole = archive({"data.pkl": b"\x80\x02N.", "data/0": bytes(SIZE // 2)})
    index = whole.index(b"PK\x01\x02")
    entries, end = whole[index:-22], whole[-22:]
    last = entries[entries.rindex(b"PK\x01\x02") :]
    many = entries + last * count
    return whole[:index] + many + end[:8] + struct.pack("<HHII", count + 2, count + 2, len(many), index) + b"\0\0"


def of_size(piece: bytes) -> bytes:
    return piece * (SIZE // len(piece))


LONG_TEXT = text("x" * SIZE) + b"q\x01"
LONG_LIST = b"]q\x01(" + b"K\x01" * (SIZE // 2) + b"e"

BOMBS: dict[str, Callable[[], bytes]] = {
    "empty lists": lambda: PROTO + of_size(b"]"),
    "empty dictionaries": lambda: PROTO + of_size(b"}"),
    "dictionaries of one entry": lambda: PROTO + of_size(b"}NNs"),
    "marks": lambda: PROTO + of_size(b"(N"),
    "memo": lambda: b"\x80\x04N" + of_size(b"\x94"),
    "empty bytes": lambda: PROTO + of_size(b"C\x00"),
    "frames": lambda: b"\x80\x04" + of_size(b"\x95" + bytes(8)),
    "deep tuple": lambda: PROTO + DEEP + b".",
    "deep lists": lambda: PROTO + b"]" * (SIZE // 2) + b"a" * (SIZE // 2 - 1) + b".",
    "deep dictionary": lambda: PROTO + of_size(b"}N") + b"N" + of_size(b"s")[: SIZE // 2] + b".",
    "deep records": lambda: (
        PROTO + name("argparse", "Namespace") + b"q\x010" + of_size(b"h\x01)\x81") + b"N" + b"b" * (SIZE // 4) + b"."
    ),
    "deep modules": lambda: (
        PROTO + RELEASED + b"q\x010" + text("state") + b"q\x020" + text("class_name") + b"q\x030"
        + b"h\x01}(h\x03h\x03h\x02}h\x03" * (SIZE // 12) + b"N" + b"su\x85R" * (SIZE // 12) + b"."
    ),
    "shared lists": lambda: PROTO + SHARED + b".",
    "shared lists by name": lambda: PROTO + dictionary(g_ema=SHARED, G=SHARED) + b".",
    "keys with one hash": lambda: (
        PROTO + b"}(" + b"".join(number((2**61 - 1) * k) + b"N" for k in range(70_000)) + b"u."
    ),
    "items with one hash": lambda: (
        PROTO + DICTIONARY + b"](" + b"".join(number((2**61 - 1) * k) + b"N\x86" for k in range(60_000)) + b"e\x85R."
    ),
    "long names": lambda: b"\x80\x04" + LONG_TEXT + b"0" + b"h\x01h\x01\x93" * (SIZE // 8) + b".",
    "many names": lambda: PROTO + b"".join(name(f"m{k}", "c") for k in range(SIZE // 12)) + b".",
    "many objects": lambda: PROTO + name("m", "c") + b"q\x020" + of_size(b"h\x02)\x81") + b".",
    "encoded texts": lambda: (
        PROTO + LONG_TEXT + name("_codecs", "encode") + b"q\x02" + text("latin1") + b"q\x03"
        + b"h\x02h\x01h\x03\x86R" * 50_000
    ),
    "joined paths": lambda: PROTO + LONG_TEXT + name("pathlib", "Path") + b"q\x02" + b"h\x02h\x01\x85R" * 50_000,
    "sets": lambda: PROTO + LONG_LIST + name("builtins", "set") + b"q\x02" + b"h\x02h\x01\x85R" * 50_000,
    "dictionaries of pairs": lambda: (
        PROTO + b"](" + b"".join(text(f"{k}") + b"N\x86" for k in range(50_000)) + b"eq\x01"
        + DICTIONARY + b"q\x02" + b"h\x02h\x01\x85R" * 50_000
    ),
    "persistent ids": lambda: archive(
        {
            "data.pkl": PROTO + storage(FLOATS, "0", b"K\x01")[:-1] + b"q\x01" + b"h\x01Q" * (SIZE // 3),
            "data/0": bytes(4),
        }
    ),
    "keys of storages": lambda: archive(
        {"data.pkl": PROTO + LONG_TEXT + b"(" + text("storage") + FLOATS + b"h\x01Nh\x01tq\x02" + b"h\x02Q" * 300_000}
    ),
    "nested files": lambda: (
        PROTO + b"B" + struct.pack("<I", SIZE // 2) + (b"\x80\x02" + b"]" * (SIZE // 2 - 3) + b".") + b"q\x01"
        + name("torch.storage", "_load_from_bytes") + b"q\x02" + b"h\x02h\x01\x85R0" * 80_000
    ),
    "products of sizes": lambda: (
        PROTO + name("numpy.core.multiarray", "_reconstruct") + b")R(K\x01(" + of_size(number(2**2000)) + b"t"
        + name("numpy", "dtype") + text("f4") + b"\x85R\x89C\x00tb."
    ),
    "digits": lambda: PROTO + b"]" + of_size(b"(" + number(2**2000) + b"e") + b".",
    "tuple as a kernel": lambda: alias_free(DEEP),
    "tuple as a clamp": lambda: layers("conv_clamp", DEEP),
    "lists as a clamp": lambda: layers("conv_clamp", SHARED),
    "lists as an activation": lambda: layers("activation", SHARED),
    "lists as a class": lambda: PROTO + RELEASED + dictionary(class_name=SHARED, state=b"}") + b"\x85R.",
    "lists in a discriminator of TensorFlow": lambda: tensorflow(nonlinearity=SHARED),
    "tuple in a discriminator of TensorFlow": lambda: tensorflow(normalize_latents=DEEP),
    "lists as taps of a discriminator": lambda: tensorflow(resample_kernel=SHARED),
    "modules of modules": lambda: nested_twice(5),
    "lists as keys of storages": lambda: (
        PROTO + b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." + PROTO + b"M\xe9\x03." + PROTO
        + dictionary(little_endian=b"\x88") + b"." + PROTO + b"}." + PROTO + b"](" + SHARED + b"e."
    ),
    "tensors of one storage": lambda: tensors(3000, (400, 600), (600, 1), 240_000, "style.{}.weight"),
    "tensors far apart": lambda: tensors(3000, (2,), (239_999,), 240_000, "style.{}.weight"),
    "empty tensors": lambda: tensors(3000, (4096, 0, 7, 7), (1, 1, 1, 1), 1, "mapping.fc{}.weight"),
    "wide mapping": lambda: tensors(1, (1, 240_000), (240_000, 1), 240_000, "style.1.weight"),
    "wrappers": lambda: tensors(1, (1,), (1,), 1, "module." * (SIZE // 7) + "{}"),
    "members of one piece": lambda: archive_of_one_piece(8000),
    "layers without end": lambda: safetensors_file({"resolution": 8, "mapping_layers": 10**30}),
    "wide layers": lambda: safetensors_file({"resolution": 8, "w_dim": 10**6, "z_dim": 10**6}),
    "header of lists": lambda: struct.pack("<Q", SIZE) + b'{"a":[' + b"[]," * (SIZE // 3 - 3) + b"[]]}",
    "header of brackets": lambda: struct.pack("<Q", SIZE) + b'{"a":' + b"[" * SIZE,
    "protocol 0": lambda: b"(" * SIZE,
    "pickled list": lambda: pickle.dumps([{}] * (SIZE // 2), 4),
}  # fmt: skip
