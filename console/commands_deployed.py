"""The arguments of the commands for a region on separate machines."""

import argparse
from typing import Final

_HOW_TO_UNLOCK: Final = (
    "read the password of the key files from this file (else: the environment variable SANDIWARA_PASSWORD, else the "
    "file that 'init' made, else it is asked for)"
)


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="the region's folder, as 'init' made it")


def add_password(parser: argparse.ArgumentParser, text: str = _HOW_TO_UNLOCK) -> None:
    """Add the option that says where a password is."""
    parser.add_argument("--password-file", metavar="FILE", help=text)


def _add_agency(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("agency", metavar="AGENCY", help="the agency's id, such as mys-mar")


def add_init(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``init``."""
    parser.add_argument("folder", metavar="DIR", help="the folder to make; it must not exist, or be empty")
    parser.add_argument("--pack", metavar="PACK", required=True, help="a shipped pack by name, or a path")
    parser.add_argument(
        "--host", action="append", default=[], metavar="NAME",
        help="a name or address by which nodes reach the broker; the first is written into the nodes' folders",
    )  # fmt: skip
    parser.add_argument("--port", type=int, metavar="PORT", help="the port that nodes try (default: 1883, by TLS 8883)")
    parser.add_argument("--tls", action="store_true", help="speak TLS on loopback too")
    add_password(
        parser,
        "lock all key files with the password in this file (else: the environment variable SANDIWARA_PASSWORD, else "
        "one is made for each agency and kept in DIR/passwords)",
    )
    parser.add_argument("--ask-password", action="store_true", help="ask for the password on the terminal")


def add_enrol(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``enrol``."""
    _add_folder(parser)
    parser.add_argument("agency", metavar="AGENCY", help="the new agency's id, such as tls-mar")
    parser.add_argument(
        "--keys", metavar="DIR", help="the folder 'authorities', wherever it lies (default: that of the region)"
    )
    add_password(
        parser,
        "unlock the link authority's key, and lock the agency's, with the password in this file (else: the environment "
        "variable SANDIWARA_PASSWORD; else that of DIR/passwords unlocks, and a new one is made there)",
    )


def add_broker(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``broker``."""
    _add_folder(parser)
    parser.add_argument("--host", metavar="ADDRESS", help="the IP address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, metavar="PORT", help="the port (default: as 'init' was told; 0: any free)")
    parser.add_argument(
        "--tls", action=argparse.BooleanOptionalAction, help="TLS on loopback too (default: as init was told)"
    )
    add_password(parser)


def add_router(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``router``."""
    _add_folder(parser)
    parser.add_argument(
        "--broker", metavar="URL", help="mqtt://HOST:PORT or mqtts://HOST:PORT (default: as 'init' was told)"
    )
    add_password(parser)


def add_node(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``node``."""
    _add_folder(parser)
    _add_agency(parser)
    parser.add_argument("--broker", metavar="HOST:PORT", help="where the broker is (default: as 'init' was told)")
    parser.add_argument(
        "--tls", action=argparse.BooleanOptionalAction, help="TLS on loopback too (default: as init was told)"
    )
    parser.add_argument("--send", metavar="FILE", help="send this report, a YAML or JSON file")
    parser.add_argument(
        "--to", action="append", default=[], metavar="WHO",
        help="mean only these: agencies, states, @groups (default: as the file says, else all whom the rules permit)",
    )  # fmt: skip
    parser.add_argument("--once", action="store_true", help="end when everything is sent and decided")
    parser.add_argument("--wait-receipts", action="store_true", help="with --once: wait for every reader's receipt too")
    parser.add_argument(
        "--within", metavar="TIME", default="60s", help="with --once: give up after this (default: 60s)"
    )
    add_password(parser)


def add_send(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``send``."""
    _add_folder(parser)
    _add_agency(parser)
    parser.add_argument("file", metavar="FILE", help="the report, a YAML or JSON file")
    parser.add_argument("--to", action="append", default=[], metavar="WHO", help="mean only these")


def add_log(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``log``."""
    _add_folder(parser)
    parser.add_argument("--hid", metavar="HEX", default="", help="only the reports whose id begins so")
    parser.add_argument("--all", action="store_true", help="receipts and other workflow messages too")
    parser.add_argument(
        "--agency", metavar="AGENCY", help="what this agency's node has sent, and what became of it at each reader"
    )


def add_render(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``render``."""
    parser.add_argument("broker", metavar="BROKER", choices=("mosquitto",), help="for which broker: mosquitto")
    _add_folder(parser)
    parser.add_argument("--out", metavar="FOLDER", help="where to write (default: the folder 'mosquitto' in DIR)")
    parser.add_argument(
        "--lies-in", metavar="PATH", help="where that folder will lie when the broker reads it (default: where it is)"
    )
    parser.add_argument("--host", metavar="ADDRESS", help="the IP address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, metavar="PORT", help="the port (default: as 'init' was told)")
    parser.add_argument(
        "--tls", action=argparse.BooleanOptionalAction, help="TLS on loopback too (default: as init was told)"
    )
    parser.add_argument(
        "--for-version", choices=("2.0", "2.1"), default="2.0", help="the oldest that must understand it (default: 2.0)"
    )
    parser.add_argument("--replace", action="store_true", help="write over the files of an earlier time")
