"""The arguments of the commands about rules, labels and reports, which need a pack and nothing that runs."""

import argparse

from console.label_options import add_label_options


def add_lint(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lint``."""
    parser.add_argument("pack", metavar="PACK", help="a shipped pack by name, or the path of a folder or file")
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")


def add_explain(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``explain``."""
    parser.add_argument("pack", metavar="PACK", help="a shipped pack by name, or a path: whose community and rules")
    parser.add_argument("--from", dest="sender", metavar="AGENCY", required=True, help="the originator")
    parser.add_argument("--to", metavar="AGENCY", help="explain for this agency alone, test by test (default: all)")
    parser.add_argument(
        "--as", dest="asker", choices=("author", "recipient", "evaluator"), default="author",
        help="who asks: a recipient hears only what it may know (default: author)",
    )  # fmt: skip
    parser.add_argument("--at", metavar="TIME", help="exercise time such as T+3h, or a date (default: STARTEX)")
    parser.add_argument("--label", metavar="NAME", help="a named label of the pack; the options below change it")
    add_label_options(parser)


def add_share(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``share``."""
    parser.add_argument("file", metavar="FILE", help="a STIX 2.1 bundle or a MISP event, JSON")
    parser.add_argument("--as", dest="sender", metavar="AGENCY", required=True, help="the agency that shares it")
    parser.add_argument("--pack", metavar="PACK", default="region", help="whose community and rules (default: region)")
    parser.add_argument(
        "--to", action="append", default=[], metavar="WHO",
        help="mean only these: agencies, states, @groups (default: all whom the rules permit)",
    )  # fmt: skip
    add_label_options(parser, of_a_file=True)
    parser.add_argument(
        "--organisation", action="append", default=[], metavar="NAME=WHO", help="who a MISP organisation is here"
    )
    parser.add_argument(
        "--sharing-group", action="append", default=[], metavar="NAME=WHO,…", help="who a MISP sharing group is here"
    )
    parser.add_argument("--dry-run", action="store_true", help="the pre-flight alone: nothing is sealed or sent")
    parser.add_argument("--out", metavar="DIR", help="keep the databases of broker and nodes, and outcome.json, there")


def add_marks(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``marks``."""
    parser.add_argument("pack", metavar="PACK", help="whose community: a shipped pack by name, or a path")
    parser.add_argument("--state", metavar="STATE", help="whose marks, three letters (default: all)")
    parser.add_argument("--mark", metavar="MARK", help="what this mark of the state becomes elsewhere")
    parser.add_argument("--to", action="append", default=[], metavar="STATE", help="only there (default: everywhere)")


def add_tearline(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``tearline``."""
    parser.add_argument("file", metavar="FILE", help="the report, a YAML or JSON file as 'send' takes it")
    parser.add_argument("--as", dest="sender", metavar="AGENCY", required=True, help="the agency that would send it")
    parser.add_argument("--pack", metavar="PACK", required=True, help="whose community and rules")
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="WORDS,…",
        help="what is meant to be told: words, names, numbers",
    )
    parser.add_argument("--strict", action="store_true", help="end with 1 for single words too")


def add_policy(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``policy``."""
    parser.add_argument("action", metavar="ACTION", choices=("diff",), help="diff: what other rules would have done")
    parser.add_argument("old", metavar="OLD", help="the rules that held: a pack, or a region's file 'bundle'")
    parser.add_argument("new", metavar="NEW", help="the rules that are proposed, likewise")
    parser.add_argument(
        "--log",
        metavar="DIR",
        required=True,
        help="what was sent: the folder of a play, or of a region with its broker",
    )
