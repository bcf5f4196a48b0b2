"""The members of the zip archives that torch.save writes, as views of the file.

Zip archives say everything twice, in front of each member and in the index at the end, and readers differ in which they
believe. Here both have to agree, the members must not overlap, and nothing may stand before the first of them or behind
the end, so that there is one way to read the file. Compressed members, which could be bombs, are refused: torch stores
them as they are.

Source: PKWARE's APPNOTE.TXT, sections 4.3 and 4.4.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from stylegan2.describing import describe
from stylegan2.errors import CheckpointError

# Signature, version, flags, method, time, date, CRC, both sizes, lengths of name and extra.
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
# Signature, versions, flags, method, time, date, CRC, both sizes, lengths of name, extra and comment, disk, attributes
# (two), offset of the member.
_ENTRY = struct.Struct("<4sHHHHHHIIIHHHHHII")
# Signature, disks, entries here and in all, size and offset of the index, length of a comment.
_END = struct.Struct("<4sHHHHIIH")
# torch repeats the end in wider numbers in front of it: a record and its locator, of fixed lengths.
_WIDE_END = 56 + 20
_ENCRYPTED, _SIZES_FOLLOW = 1, 8
_MOST_MEMBERS = 50_000
_UNREADABLE = "it is truncated or damaged: a zip archive without a readable index"


@dataclass(frozen=True)
class Member:
    """A member of an archive.

    Attributes
    ----------
    data
        Its bytes, as a view of the file.
    crc
        Their CRC-32; 0 if none was written, as torch can be told.
    """

    data: memoryview
    crc: int

    def read(self) -> memoryview:
        """Return the bytes, once they agree with the CRC."""
        check_crc(self.data, self.crc)
        return self.data


def check_crc(data: memoryview, crc: int) -> None:
    """Refuse bytes with another CRC-32, unless it is 0, which stands for none.

    Raises
    ------
    CheckpointError
        They differ.
    """
    if crc and zlib.crc32(data) != crc:
        raise CheckpointError("it is damaged: a part of its zip is not what was written (CRC-32); copy it again")


def torch_members(data: memoryview) -> dict[str, Member]:
    """Return the members of an archive of torch.save by name.

    Raises
    ------
    CheckpointError
        It is damaged, ambiguous or compressed, or torch.save did not write it.
    """
    entries = _entries(data)
    _check_origin([entry.name for entry in entries])
    members: dict[str, Member] = {}
    free = 0
    for entry in sorted(entries, key=lambda entry: entry.offset):
        if entry.name in members:
            raise CheckpointError(f"it is damaged: its zip has {describe(entry.name)} twice")
        start = _start_of(data, entry)
        nothing_before = bool(members) or entry.offset == 0
        if entry.offset < free or start + entry.size > len(data) or not nothing_before:
            raise CheckpointError("it is truncated or damaged: the members of its zip are not one after the other")
        free = start + entry.size
        members[entry.name] = Member(data[start:free], entry.crc)
    return members


@dataclass(frozen=True)
class _Entry:
    """What the index says of a member."""

    name: str
    flags: int
    method: int
    crc: int
    stored: int
    size: int
    offset: int


def _entries(data: memoryview) -> list[_Entry]:
    """Read the index, which has to lie right before the end of the archive, and that at the end of the file."""
    if len(data) < _END.size:
        raise CheckpointError(_UNREADABLE)
    end = len(data) - _END.size
    signature, *disks, here, count, size, position, comment = _END.unpack(data[end:])
    if signature != b"PK\x05\x06" or disks != [0, 0] or here != count or comment:
        raise CheckpointError(_UNREADABLE)
    if count > _MOST_MEMBERS or position == 0xFFFFFFFF:
        raise CheckpointError("unsupported: a zip archive of more than 4 GiB, or of too many members")
    stop = position + size
    if stop != end and not (stop + _WIDE_END == end and bytes(data[stop : stop + 4]) == b"PK\x06\x06"):
        raise CheckpointError("it is damaged: the index of its zip is not where its end says")
    entries: list[_Entry] = []
    while position < stop and len(entries) < count:
        if position + _ENTRY.size > stop or bytes(data[position : position + 4]) != b"PK\x01\x02":
            raise CheckpointError(_UNREADABLE)
        _, _, _, flags, method, _, _, crc, stored, size, *lengths, _, _, _, offset = _ENTRY.unpack(
            data[position : position + _ENTRY.size]
        )
        position += _ENTRY.size
        name = str(data[position : position + lengths[0]], "utf-8", "replace")
        entries.append(_Entry(name, flags, method, crc, stored, size, offset))
        position += sum(lengths)
    if position != stop or len(entries) != count:
        raise CheckpointError(_UNREADABLE)
    return entries


def _check_origin(names: list[str]) -> None:
    pickles = sum(name.endswith("/data.pkl") for name in names)
    if not pickles:
        raise CheckpointError("unsupported: a zip archive that torch.save did not write (no data.pkl)")
    if any(name.endswith("/constants.pkl") for name in names):  # before its compressed code is met
        raise CheckpointError(
            "it is a TorchScript program, not weights; save the state_dict() of what torch.jit.load gives"
        )
    if pickles > 1:
        raise CheckpointError("it is damaged: a torch archive with several data.pkl")


def _start_of(data: memoryview, entry: _Entry) -> int:
    """Return where the bytes of a member begin; what stands in front of them must be what the index says."""
    if entry.method or entry.flags & _ENCRYPTED:
        raise CheckpointError("refused: a compressed or encrypted zip archive, which torch never writes")
    head = data[entry.offset : entry.offset + _LOCAL.size]
    if len(head) < _LOCAL.size or bytes(head[:4]) != b"PK\x03\x04":
        raise CheckpointError("it is truncated or damaged: its zip index points to nowhere")
    _, _, flags, method, _, _, crc, stored, size, name, extra = _LOCAL.unpack(head)
    start = entry.offset + _LOCAL.size
    own = str(data[start : start + name], "utf-8", "replace")
    agree = (flags, method, own) == (entry.flags, entry.method, entry.name) and entry.stored == entry.size
    if not flags & _SIZES_FOLLOW:
        agree = agree and (crc, stored, size) == (entry.crc, entry.stored, entry.size)
    if not agree:
        raise CheckpointError(f"it is damaged: its zip says two things of its member {describe(entry.name)}")
    return int(start + name + extra)
