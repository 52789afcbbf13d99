"""From ``host`` and ``port`` to bound sockets, on loopback only."""

from __future__ import annotations

import errno
import ipaddress
import socket

from constellationdb.errors import AddressInUse, InvalidParameter

_BACKLOG = 1024


def bound_sockets(host: str, port: int) -> list[socket.socket]:
    """One listening socket for each address ``host`` has; with port 0 for the first of them only."""
    if not 0 <= port <= 65_535:
        raise InvalidParameter(f"port {port} is outside 0 to 65535", hint="choose another port with --listen")
    addresses = _loopback_addresses(host, port)
    sockets: list[socket.socket] = []
    try:
        for family, address in addresses[:1] if port == 0 else addresses:
            _add_bound(sockets, family, address, optional=len(addresses) > 1)
    except BaseException:
        for opened in sockets:
            opened.close()
        raise
    if not sockets:
        raise AddressInUse(f'no address of "{host}" can be listened on', hint="listen on 127.0.0.1")
    return sockets


def _loopback_addresses(host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as problem:
        raise InvalidParameter(f'cannot find an address for "{host}"', hint="listen on 127.0.0.1") from problem
    addresses = [(int(family), (str(address[0]), port)) for family, _, _, _, address in found]
    for _, (ip, _) in addresses:
        if not ipaddress.ip_address(ip.partition("%")[0]).is_loopback:
            raise InvalidParameter(
                f'refusing to listen on "{host}": {ip} can be reached from other machines',
                hint="listen on 127.0.0.1; connections are not encrypted or authenticated yet",
            )
    return addresses


def _add_bound(sockets: list[socket.socket], family: int, address: tuple[str, int], optional: bool) -> None:
    """``optional``: a machine without IPv6 still has the other address of localhost."""
    host, port = address
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as problem:
        listening.close()
        if optional and problem.errno == errno.EADDRNOTAVAIL:
            return
        raise _refused(host, port, problem) from problem
    sockets.append(listening)


def _refused(host: str, port: int, problem: OSError) -> AddressInUse:
    if problem.errno == errno.EADDRINUSE:
        return AddressInUse(
            f"port {port} on {host} is already in use",
            hint="stop the other server or choose another port with --listen",
        )
    return AddressInUse(f"cannot listen on {host} port {port}: {problem.strerror}", hint="choose another --listen")
