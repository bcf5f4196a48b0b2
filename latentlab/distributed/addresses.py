"""Addresses of Ray clusters, tried before Ray is: it waits for minutes where nobody answers."""

from __future__ import annotations

import os
import re
import socket

from latentlab.errors import UserError

_PATIENCE = 5.0  # seconds for a machine to answer; one that is there takes less than one
_CLIENT_PORT = 10001  # Ray's own for ray://, where an address names none
# A scheme, a name or number of a machine, one of IPv6 in brackets, and a port.
_PARTS = re.compile(r"(?P<client>ray://)?(?:\[(?P<six>[^\[\]\s]+)\]|(?P<host>[^\[\]:/\s]+))(?::(?P<port>[0-9]+))?")


def check_reachable(address: str) -> None:
    """Check that something listens at the address of a cluster.

    Parameters
    ----------
    address
        HOST:PORT or ray://HOST:PORT; 'auto', which Ray reads from RAY_ADDRESS or looks for on this machine; or one of
        another scheme, which is left to Ray, as is the search on this machine.

    Raises
    ------
    UserError
        If it has another form, or nobody answers within seconds.
    """
    named = os.environ.get("RAY_ADDRESS") or address if address == "auto" else address
    if named in ("auto", "local") or ("://" in named and not named.startswith("ray://")):
        return
    host, port = _host_and_port(named)
    try:
        socket.create_connection((host, port), _PATIENCE).close()
    except (OSError, UnicodeError) as error:  # some names cannot be encoded
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UserError(
            f"no Ray cluster answers at {named} ({reason}): is `ray start --head` running there, with this port, and "
            "is the port open to this machine?"
        ) from error


def _host_and_port(address: str) -> tuple[str, int]:
    found = _PARTS.fullmatch(address)
    port = found and (found["port"] or (_CLIENT_PORT if found["client"] else None))
    if found is None or port is None or not 0 < int(port) < 1 << 16:
        raise UserError(
            "the address of a Ray cluster is HOST:PORT, such as 10.0.0.1:6379, ray://HOST:PORT, or auto; "
            f"not {address!r}"
        )
    return found["six"] or found["host"], int(port)
