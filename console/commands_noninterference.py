"""The arguments of ``sandiwara noninterference``."""

import argparse


def add_noninterference(parser: argparse.ArgumentParser) -> None:
    """Add what it takes."""
    parser.add_argument("pack", metavar="PACK", help="a shipped pack by name, or the path of a folder or file")
    parser.add_argument(
        "--report", action="append", default=[], metavar="ORDER",
        help="the secret is what this standing order sends (default: every report that somebody may not know of)",
    )  # fmt: skip
    parser.add_argument(
        "--secret", action="append", default=[], metavar="INJECT", help="the secret is this inject and all it causes"
    )
    parser.add_argument(
        "--observer", action="append", default=[], metavar="AGENCY",
        help="who must not notice (default: whoever may know nothing of it by the rules)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, metavar="N", help="of the plays (default: the pack's own)")
    parser.add_argument("--out", metavar="DIR", help="write what each observer saw of either world there")
