"""Read pickles and torch files of unknown origin as plain data: tensors, arrays, numbers, text and containers.

    content = read_pickled(memoryview(Path("weights.pt").read_bytes()))
    weight = floats(content["state_dict"]["conv.weight"], "conv.weight")

What never happens
    No code of a file runs. The names in it are looked up in one table (`inert.ALLOWED`) of functions of this package
    that build data; nothing is imported, looked up as an attribute or called besides, and a name that is not there
    ends the reading, unless it is the class of a torch module: its objects come out as inert data. Neither Python's
    unpickler nor torch's loader takes part; no file or connection is opened. A torch file nested in a pickle may hold
    one storage, and no further nesting.
What is bounded
    Every size that a file declares (text, bytes, storages, arrays, tensors with their strides) is compared with the
    bytes that are there before memory is taken. Compressed archives are refused, as are those whose index and members
    disagree. Bytes come out as views of the file; what else is built, nested or handed to functions of the table is
    counted, so that memory and time grow in proportion to the file. Values of a file are never hashed, compared or
    written unless they are plain text and numbers: what is nested a million deep, or shared a million times, would end
    the interpreter or never end. `floats` and `TensorView.read` copy the values of one tensor; tensors may share a
    storage, so all of them together can be larger than the file: callers that read them all have to count, as the
    formats of `stylegan2.checkpoints` do.
What is raised
    `CheckpointError` for all that is damaged, truncated or unsupported, and its subclass `ForbiddenGlobalError` for a
    name that is not allowed; nothing else, whatever the file holds. Messages do not name the file: callers do.
What is read
    Pickle protocols 2 to 5, as far as weights need them; the zip archives of torch.save, and its older streams. A
    torch module comes out as a `Module` (one of NVIDIA's releases as a `ReleasedModule`), other objects as a `Record`:
    the name of the class and inert state. Sets come out as lists, paths as text.
"""

from typing import TYPE_CHECKING

from stylegan2.errors import CheckpointError, ForbiddenGlobalError
from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from stylegan2.safe_pickle.containers import looks_pickled, read_pickled, survey
    from stylegan2.safe_pickle.inert import Array, Module, ReleasedModule, TensorView, floats
    from stylegan2.safe_pickle.rules import Record

__all__ = [
    "Array",
    "CheckpointError",
    "ForbiddenGlobalError",
    "Module",
    "Record",
    "ReleasedModule",
    "TensorView",
    "floats",
    "looks_pickled",
    "read_pickled",
    "survey",
]

# Imported at first use: they need torch.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "containers": ("looks_pickled", "read_pickled", "survey"),
            "inert": ("Array", "Module", "ReleasedModule", "TensorView", "floats"),
            "rules": ("Record",),
        },
    )
