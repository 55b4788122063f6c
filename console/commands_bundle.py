"""The arguments of ``sandiwara bundle``: five actions, each with its own."""

import argparse
from functools import partial
from typing import Final

from console.commands_deployed import add_password
from console.parser import HelpFormat, common_options

_DATED: Final = "MECHANISM=WHO[@DATE]"
# Option, what follows it, what it does; in the order of the command line, which is the order in which it is done.
_STEPS: Final = (
    ("join", _DATED, "make a state, agency or @group full member of a mechanism, from now on or from a date on"),
    ("observe", _DATED, "make it an observer, which attends and receives nothing by it"),
    ("reciprocate", _DATED, "make it a member that reads for as long as it contributes"),
    ("credit", "MECHANISM=WHO@DATE", "put a contribution on record, which counts until that date"),
    ("leave", _DATED, "end what it stands in"),
    ("chair", "WHO[@DATE]", "hand over the chair, which convenes and administers, and reads nothing by it"),
    ("suspend", "AGENCY", "nothing goes to it or comes from it, and what is queued is cancelled"),
    ("restore", "AGENCY", "end a suspension"),
    ("revoke", "AGENCY", "refuse its keys for good"),
    ("clearance", "AGENCY=LEVEL", "clear it for another level"),
)


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``bundle``."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    common = common_options()
    add = partial(actions.add_parser, parents=[common], formatter_class=HelpFormat, allow_abbrev=False)
    show = add("show", help="show who is who, under which dated agreements, and who signed")
    show.add_argument("place", metavar="DIR|FILE", help="a region's folder, or a file that 'propose' or 'sign' wrote")
    propose = add("propose", help="write the next version, unsigned")
    propose.add_argument("folder", metavar="DIR", help="the region's folder, or the broker's part of it")
    propose.add_argument("--pack", metavar="PACK", help="agreements, rules and attributes as this pack has them")
    for name, metavar, text in _STEPS:
        propose.add_argument(
            f"--{name}", dest="steps", action="append", metavar=metavar, type=partial(_step, name), help=text
        )
    propose.add_argument(
        "--enrol", action="append", default=[], metavar="CARD",
        help="take in the agency whose card 'sandiwara enrol' wrote, as --pack describes it",
    )  # fmt: skip
    propose.add_argument("--out", metavar="FILE", required=True, help="where to write it")
    propose.add_argument("--replace", action="store_true", help="write over an earlier proposal")
    sign = add("sign", help="add one authority's signature")
    sign.add_argument("file", metavar="FILE", help="the proposal; it is written over")
    sign.add_argument("--as", dest="authority", metavar="AUTHORITY", required=True, help="such as auth-chair")
    sign.add_argument(
        "--keys", metavar="DIR", required=True, help="the region's folder, or its folder 'authorities' wherever it lies"
    )
    add_password(sign)
    counted = add("contributions", help="count who gave what to a pool that only contributors read")
    counted.add_argument("place", metavar="BUNDLE|PACK", help="a region's file broker/bundle, a proposal, or a pack")
    counted.add_argument("--mechanism", metavar="POOL", required=True, help="the pool")
    counted.add_argument("--log", metavar="DIR", required=True, help="a region's folder, or a play's")
    counted.add_argument("--days", metavar="N", type=int, default=30, help="how long one counts (default: 30)")
    install = add("install", help="put a version that enough authorities signed in force")
    install.add_argument("folder", metavar="DIR", help="the region's folder, or the broker's part of it")
    install.add_argument("file", metavar="FILE", help="the signed version")


def _step(name: str, text: str) -> tuple[str, str]:
    return name, text
