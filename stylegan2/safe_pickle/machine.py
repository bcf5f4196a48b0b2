"""A pickle reader that cannot run code: a small stack machine that knows data and an allow list of names.

Python's own unpickler looks names up and calls whatever it finds. This one has no way to import, to
read an attribute or to call anything but the functions of the table it is given, so that a file can
at worst be refused. It also knows only the opcodes that checkpoints use. Bytes are not copied: they
come out as read-only views of the file.

Classes of networks are the one kind of name outside of the table that can be let in: their objects come out as inert
stand-ins, if the file makes them without arguments and gives them a state that the stand-in takes.

Source: the opcodes as documented in the standard library's `pickletools`.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from typing import Any

from stylegan2.describing import describe, printable
from stylegan2.errors import CheckpointError, ForbiddenGlobalError
from stylegan2.safe_pickle.rules import Global, Persistent, Record, Rules, UnknownClass

# Bytes of memory that an opcode, an object of ours and an element of a container take at most.
_OPCODE, _OBJECT, _ELEMENT = 200, 600, 100
_LONGEST_NAME = 200
_MOST_CLASSES = 1000


def refuse_persistent(identifier: Any) -> Any:
    """Refuse persistent ids, which a plain pickle does not have."""
    raise CheckpointError("it is damaged: it refers to data outside of the pickle")


def _forbidden(name: str) -> ForbiddenGlobalError:
    return ForbiddenGlobalError(
        f"refused: it asks for the Python global '{printable(name)}', which no supported checkpoint needs "
        "and which could run code; nothing of it was executed. If you trust its origin, load it with "
        "the code that wrote it, and save its tensors alone, as a state dict"
    )


def unpickle(
    data: memoryview, rules: Rules, persistent: Persistent = refuse_persistent, start: int = 0
) -> tuple[Any, int]:
    """Read one pickle.

    Parameters
    ----------
    data
        The bytes of the file.
    rules
        The names it may ask for, and the memory it may take.
    persistent
        Returns the object of a persistent id; torch's containers use these for storages.
    start
        Offset of the pickle in bytes.

    Returns
    -------
    tuple
        What the pickle holds, and the position behind it.

    Raises
    ------
    ForbiddenGlobalError
        It asks for a name that is not allowed.
    CheckpointError
        It is truncated or damaged.
    """
    machine = _Machine(data, rules, persistent, start)
    try:
        return machine.run(), machine.position
    except CheckpointError:
        raise
    except Exception as error:
        raise CheckpointError(f"it is damaged: its pickle is invalid at byte {machine.position}") from error


class _Machine:
    """The state of one reading: the file, the stack, the stacks below the marks, and the memo."""

    def __init__(self, data: memoryview, rules: Rules, persistent: Persistent, start: int) -> None:
        self.data = data
        self.position = start
        self.rules = rules
        self.persistent = persistent
        # Objects of classes that are not in the table, by the name of the class.
        self.unknown: dict[str, list[Record]] = {}
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        spend, data, stop = self.rules.budget.spend, self.data, len(self.data)
        while self.position < stop:
            spend(_OPCODE)
            code = data[self.position]
            self.position += 1
            operation = _OPERATIONS[code]
            if operation is not None:
                operation(self)
            elif code == pickle.STOP[0]:
                self.check_unknown()
                return self.stack.pop()
            else:
                raise CheckpointError(
                    f"it is damaged or no checkpoint: unsupported opcode {bytes([code])!r} at byte {self.position - 1}"
                )
        raise CheckpointError(f"it is truncated: it ends within a pickle, at byte {stop}")

    def read(self, count: int) -> memoryview:
        piece = self.data[self.position : self.position + count]
        if len(piece) < count:
            raise CheckpointError(f"it is truncated: it ends within a pickle, at byte {len(self.data)}")
        self.position += count
        return piece

    def number(self, layout: str) -> Any:
        return struct.unpack(layout, self.read(struct.calcsize(layout)))[0]

    def line(self) -> str:
        # The names of modules and classes are short: no need to look for a newline in gigabytes.
        piece = bytes(self.data[self.position : self.position + 500])
        end = piece.index(b"\n")
        self.position += end + 1
        return piece[:end].decode()

    def to_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.below.pop()
        return items

    def mention(self, module: str, name: str) -> Global | UnknownClass:
        # A long text can be asked for again and again: no more of it is copied than a message shows.
        full = f"{module[:_LONGEST_NAME]}.{name[:_LONGEST_NAME]}"
        asked, known = self.rules.asked, full in self.rules.allowed
        if asked is not None and len(asked) < _MOST_CLASSES:
            asked[full] = asked.get(full, True) and known
            if not known:
                return Global(full, lambda *_arguments: Record(full))
        if known:
            return Global(full, self.rules.allowed[full])
        if self.rules.stand_in is None or len(full) > _LONGEST_NAME or len(self.unknown) == _MOST_CLASSES:
            raise _forbidden(full)
        self.rules.budget.spend(_OBJECT)
        self.unknown.setdefault(full, [])
        return UnknownClass(full)

    def check_unknown(self) -> None:
        """Refuse names that are not in the table, unless each turned out to be a class of networks."""
        for name, objects in self.unknown.items():
            if not objects or any(made.state is None for made in objects):
                raise _forbidden(name)

    def new(self, made_of: Any, arguments: Any) -> Any:
        plain = isinstance(arguments, tuple) and not arguments
        if not isinstance(made_of, UnknownClass) or not plain or self.rules.stand_in is None:
            return self.build(made_of, arguments)
        self.rules.budget.spend(_OBJECT)
        made = self.rules.stand_in(made_of.name)
        self.unknown[made_of.name].append(made)
        return made

    def build(self, function: Any, arguments: Any) -> Any:
        if isinstance(function, UnknownClass):
            raise _forbidden(function.name)
        if not isinstance(function, Global) or function.build is None or not isinstance(arguments, tuple):
            raise CheckpointError("refused: it calls something that supported checkpoints do not")
        self.count(arguments)
        return function.build(*arguments)

    def count(self, values: Any) -> None:
        """Count what is handed to functions, which may copy it."""
        values = values if isinstance(values, tuple) else (values,)
        self.rules.budget.spend(_OBJECT + sum(map(_cost, values)))


def _cost(value: Any) -> int:
    """Bytes that a copy of the value takes at most, what is in containers left where it is."""
    if isinstance(value, (str, memoryview)):
        return len(value)
    return _ELEMENT * len(value) if isinstance(value, (list, tuple, dict)) else 0


def is_key(value: Any) -> bool:
    """Whether a value can be the key of a dictionary.

    Hashing a tuple nested a million deep would overflow the C stack, and looking up integers of many digits, which can
    be chosen to have the same hash, would take for ever.
    """
    return value is None or type(value) in (str, bool, float) or (type(value) is int and value.bit_length() <= 60)


_Operation = Callable[[_Machine], None]
# By the byte of the opcode; None for those that are not supported.
_OPERATIONS: list[_Operation | None] = [None] * 256


def _opcode(*codes: bytes) -> Callable[[_Operation], _Operation]:
    """Register a function for the opcodes."""

    def register(function: _Operation) -> _Operation:
        for code in codes:
            _OPERATIONS[code[0]] = function
        return function

    return register


def _pushes(code: bytes, value: Callable[[_Machine], Any]) -> None:
    """Register an opcode that does no more than push a value."""

    def push(machine: _Machine) -> None:
        item = value(machine)  # may exchange the stack
        machine.stack.append(item)

    _OPERATIONS[code[0]] = push


_pushes(pickle.NONE, lambda m: None)
_pushes(pickle.NEWTRUE, lambda m: True)
_pushes(pickle.NEWFALSE, lambda m: False)
_pushes(pickle.BININT, lambda m: m.number("<i"))
_pushes(pickle.BININT1, lambda m: m.number("<B"))
_pushes(pickle.BININT2, lambda m: m.number("<H"))
_pushes(pickle.LONG1, lambda m: int.from_bytes(m.read(m.number("<B")), "little", signed=True))
_pushes(pickle.BINFLOAT, lambda m: m.number(">d"))
_pushes(pickle.BINUNICODE, lambda m: str(m.read(m.number("<I")), "utf-8", "surrogatepass"))
_pushes(pickle.SHORT_BINUNICODE, lambda m: str(m.read(m.number("<B")), "utf-8", "surrogatepass"))
_pushes(pickle.BINUNICODE8, lambda m: str(m.read(m.number("<Q")), "utf-8", "surrogatepass"))
# Strings of Python 2 may be text or bytes: latin1 loses nothing.
_pushes(pickle.BINSTRING, lambda m: str(m.read(m.number("<I")), "latin1"))
_pushes(pickle.SHORT_BINSTRING, lambda m: str(m.read(m.number("<B")), "latin1"))
_pushes(pickle.BINBYTES, lambda m: m.read(m.number("<I")))
_pushes(pickle.SHORT_BINBYTES, lambda m: m.read(m.number("<B")))
_pushes(pickle.BINBYTES8, lambda m: m.read(m.number("<Q")))
_pushes(pickle.BYTEARRAY8, lambda m: m.read(m.number("<Q")))
_pushes(pickle.EMPTY_TUPLE, lambda m: ())
_pushes(pickle.EMPTY_LIST, lambda m: [])
_pushes(pickle.EMPTY_DICT, lambda m: {})
# A set comes out as a list: membership is never asked for, and nothing of the file gets hashed.
_pushes(pickle.EMPTY_SET, lambda m: [])
_pushes(pickle.TUPLE, lambda m: tuple(m.to_mark()))
_pushes(pickle.TUPLE1, lambda m: (m.stack.pop(),))
_pushes(pickle.LIST, lambda m: m.to_mark())
_pushes(pickle.BINGET, lambda m: m.memo[m.number("<B")])
_pushes(pickle.LONG_BINGET, lambda m: m.memo[m.number("<I")])
_pushes(pickle.GLOBAL, lambda m: m.mention(m.line(), m.line()))


@_opcode(pickle.BINPERSID)
def _persistent(machine: _Machine) -> None:
    machine.rules.budget.spend(_OBJECT)
    machine.stack.append(machine.persistent(machine.stack.pop()))


@_opcode(pickle.PROTO)
def _protocol(machine: _Machine) -> None:
    protocol = machine.number("<B")
    if protocol > 5:
        raise CheckpointError(f"it is too new or damaged: pickle protocol {protocol}; supported are 2 to 5")


@_opcode(pickle.FRAME)
def _frame(machine: _Machine) -> None:
    machine.read(8)  # a hint for readers of streams


@_opcode(pickle.MARK)
def _mark(machine: _Machine) -> None:
    machine.below.append(machine.stack)
    machine.stack = []


@_opcode(pickle.POP)
def _pop(machine: _Machine) -> None:
    machine.stack.pop()


@_opcode(pickle.POP_MARK)
def _pop_mark(machine: _Machine) -> None:
    machine.to_mark()


@_opcode(pickle.TUPLE2)
def _pair(machine: _Machine) -> None:
    machine.stack[-2:] = [(machine.stack[-2], machine.stack[-1])]


@_opcode(pickle.TUPLE3)
def _triple(machine: _Machine) -> None:
    machine.stack[-3:] = [(machine.stack[-3], machine.stack[-2], machine.stack[-1])]


@_opcode(pickle.BINPUT)
def _put(machine: _Machine) -> None:
    machine.memo[machine.number("<B")] = machine.stack[-1]


@_opcode(pickle.LONG_BINPUT)
def _long_put(machine: _Machine) -> None:
    machine.memo[machine.number("<I")] = machine.stack[-1]


@_opcode(pickle.MEMOIZE)
def _memoize(machine: _Machine) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


@_opcode(pickle.STACK_GLOBAL)
def _stack_global(machine: _Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    if not (isinstance(name, str) and isinstance(module, str)):
        raise CheckpointError(f"it is damaged: a global whose name is {describe(name)} of {describe(module)}, not text")
    machine.stack.append(machine.mention(module, name))


@_opcode(pickle.APPEND)
def _append(machine: _Machine) -> None:
    _extend(machine, [machine.stack.pop()])


@_opcode(pickle.APPENDS, pickle.ADDITEMS)
def _appends(machine: _Machine) -> None:
    _extend(machine, machine.to_mark())


def _extend(machine: _Machine, items: list[Any]) -> None:
    if not isinstance(machine.stack[-1], list):
        raise TypeError("only lists grow")
    machine.stack[-1].extend(items)


@_opcode(pickle.SETITEM)
def _set_item(machine: _Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    _update(machine, [key, value])


@_opcode(pickle.SETITEMS)
def _set_items(machine: _Machine) -> None:
    _update(machine, machine.to_mark())


def _update(machine: _Machine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if not isinstance(target, dict) or len(items) % 2:
        raise TypeError("only dictionaries take items, in pairs")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not is_key(key):
            raise TypeError("keys are text or numbers")
        target[key] = value


@_opcode(pickle.REDUCE)
def _call(machine: _Machine) -> None:
    arguments, function = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(machine.build(function, arguments))


@_opcode(pickle.NEWOBJ)
def _new(machine: _Machine) -> None:
    arguments, made_of = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(machine.new(made_of, arguments))


@_opcode(pickle.BUILD)
def _set_state(machine: _Machine) -> None:
    state, target = machine.stack.pop(), machine.stack[-1]
    if isinstance(target, Record):
        machine.count(state)
        target.set_state(state)
    elif not isinstance(target, dict):  # attributes of one, as a state dict's _metadata, are of no use
        raise CheckpointError("refused: it sets the state of something that has none")
