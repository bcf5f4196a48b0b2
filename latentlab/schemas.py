"""What JSON of cards and manifests has to look like: data classes are the schemas, and msgspec checks them."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from latentlab.errors import UserError

T = TypeVar("T")


def checked(data: Any, form: type[T], where: str) -> T:
    """Convert what JSON held to a type, checking every field.

    Parameters
    ----------
    data
        Dictionaries, lists, text, numbers and None, as `json.loads` gives them.
    form
        A data class, or any type that msgspec knows; fields may carry limits, `Annotated[int, msgspec.Meta(ge=1)]`.
        Entries that the class does not have are passed over, and those with a default may be missing.
    where
        The file, for errors.

    Raises
    ------
    UserError
        A field is missing, of another type or beyond its limits. Names the file and the field.
    """
    try:
        return msgspec.convert(data, form)
    except msgspec.ValidationError as error:
        raise UserError(f"{where}: {error}") from error
