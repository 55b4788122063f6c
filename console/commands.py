"""The commands and their arguments. Each names the module that carries it out, which is imported only then."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from console.commands_bundle import add_bundle
from console.commands_deployed import (
    add_broker,
    add_enrol,
    add_init,
    add_log,
    add_node,
    add_password,
    add_render,
    add_router,
    add_send,
)
from console.commands_desk import DESK_EXAMPLES, add_desk
from console.commands_noninterference import add_noninterference
from console.commands_rules import add_explain, add_lint, add_marks, add_policy, add_share, add_tearline
from console.parser import HelpFormat

AddArguments = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command: what the list of commands says of it, what its own help says, and who carries it out."""

    name: str
    summary: str
    description: str
    examples: tuple[str, ...]
    module: str
    add_arguments: AddArguments


def _add_packs(_parser: argparse.ArgumentParser) -> None:
    """It takes nothing."""


def _add_audit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", metavar="ACTION", choices=("verify", "export"),
        help="verify: check every byte of an exported log; export: write the log of a region that 'init' made",
    )  # fmt: skip
    parser.add_argument(
        "folder", metavar="DIR", help="verify: the exported log; export: the region's folder, or a part"
    )
    parser.add_argument("into", metavar="LOG", nargs="?", help="export: the folder to write")
    parser.add_argument("--agency", metavar="AGENCY", help="export: this agency's journal alone, on its own machine")
    add_password(parser)


def _add_schemas(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="where the files go; made if need be")


def _add_soak(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, metavar="N", default=100, help="how many seeds (default: 100)")
    parser.add_argument("--first", type=int, metavar="N", default=0, help="the first seed (default: 0)")
    parser.add_argument("--jobs", type=int, metavar="N", default=1, help="how many processes (default: 1)")
    parser.add_argument(
        "--only", metavar="KIND[,KIND]", default="", help="let only faults of these kinds fall (default: all)"
    )
    parser.add_argument(
        "--crowd",
        action="store_true",
        help="let each seed send some 600 reports, under every kind of fault that loses nothing, or those of --only",
    )
    parser.add_argument("--plan", metavar="FILE", help="replay this plan instead")
    parser.add_argument("--canaries", action="store_true", help="plant bugs instead, one by one: each must be found")
    parser.add_argument("--corpus", metavar="DIR", help="with --canaries: where plans are kept that find them")
    parser.add_argument("--out", metavar="DIR", default=".", help="where the plans of failures go (default: here)")


def _add_completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", choices=("bash", "zsh", "tcsh"), help="bash, zsh or tcsh")


_COMMANDS: Final = (
    Command(
        name="packs",
        summary="list the exercises that come with Sandiwara",
        description="List the exercises that come with Sandiwara: id, title, duration, participants.",
        examples=("sandiwara packs", "sandiwara packs --json"),
        module="console.packs",
        add_arguments=_add_packs,
    ),
    Command(
        name="lint",
        summary="examine a scenario pack",
        description="Examine a scenario pack: what keeps it from being played, and what its planner should know.\n"
        "Ends with 1 if there are errors.",
        examples=("sandiwara lint strait-lantern", "sandiwara lint ./my-exercise --strict"),
        module="console.lint",
        add_arguments=add_lint,
    ),
    Command(
        name="explain",
        summary="say who may read what, and why not",
        description="Say who may have a portion with a given label, by which rule the others may not, and the nearest\n"
        "change that would turn it. Ends with 1 if --to may not have it, or nobody may.",
        examples=(
            "sandiwara explain strait-lantern --from sgp-mar --label track",
            "sandiwara explain strait-lantern --from mys-di --label source --to tha-mar --as recipient",
            "sandiwara explain region --from mys-cert --tlp AMBER --topic cyber.ransomware --to in-bank",
        ),
        module="console.explain",
        add_arguments=add_explain,
    ),
    Command(
        name="share",
        summary="send a STIX or MISP file through a whole region, and see who received what",
        description="Read a STIX 2.1 bundle or a MISP event, start the broker and every agency of a region in this\n"
        "process, send the report, and show who received which portion, who did not, and the rule that decided.\n"
        "What was received is what the nodes verified. Ends with 1 if nobody received anything.",
        examples=(
            "sandiwara share event.json --as mys-cert",
            "sandiwara share bundle.json --as sgp-cert --to @certs --tlp AMBER --dry-run",
            "sandiwara share bundle.json --as mys-cert --affected MYS,SGP --json",
        ),
        module="console.share",
        add_arguments=add_share,
    ),
    Command(
        name="init",
        summary="make the folders of a region for separate machines",
        description="Enrol a pack's community: signed bundle, keys, link passwords and certificates, in folders that\n"
        "can be copied to different machines. README.txt in the folder says what goes where.",
        examples=(
            "sandiwara init region-a --pack strait-lantern",
            "sandiwara init region-a --pack strait-lantern --host broker.example.org --password-file secret.txt",
        ),
        module="console.init",
        add_arguments=add_init,
    ),
    Command(
        name="enrol",
        summary="make the folder of one agency more for such a region",
        description="Make keys, link password and certificate of an agency that is to come into a region while it\n"
        "runs, in a folder like those that 'init' made, and the card by which the authorities take it in with\n"
        "'sandiwara bundle propose --enrol'. Until they have signed, nobody knows it. It gets no past traffic.",
        examples=(
            "sandiwara enrol region-a tls-mar",
            "sandiwara enrol region-a tls-mar --keys /media/safe/authorities --password-file secret.txt",
        ),
        module="console.enrol",
        add_arguments=add_enrol,
    ),
    Command(
        name="broker",
        summary="run the broker of such a region",
        description="Run the need-to-know broker of a region that 'init' made. Without --host it listens on\n"
        "127.0.0.1; on any other address it speaks TLS with client certificates only. Ends with SIGTERM or Ctrl-C.",
        examples=("sandiwara broker region-a", "sandiwara broker region-a --host 192.0.2.7 --port 8883"),
        module="console.broker_process",
        add_arguments=add_broker,
    ),
    Command(
        name="router",
        summary="run the router of such a region behind another broker",
        description="Run the need-to-know router of a region that 'init' made as a client of another MQTT 5 broker,\n"
        "such as Mosquitto, in place of 'sandiwara broker'. Nodes connect to that broker. Plain MQTT is spoken to\n"
        "this machine only; to any other by TLS, with the router's own certificate. If the broker cannot be reached\n"
        "at the start, the command ends; later it tries again until it can. Ends with SIGTERM or Ctrl-C.",
        examples=(
            "sandiwara router region-a",
            "sandiwara router region-a --broker mqtt://127.0.0.1:1883",
            "sandiwara router region-a --broker mqtts://broker.example.org:8883",
        ),
        module="console.router_process",
        add_arguments=add_router,
    ),
    Command(
        name="render",
        summary="write the configuration of another broker for such a region",
        description="Write what Mosquitto needs to carry a region that 'init' made: configuration, access list, and\n"
        "hashes of the link passwords or, for TLS, certificate and key. Without --host it listens on 127.0.0.1; on\n"
        "any other address it speaks TLS with client certificates only. The router runs beside it: 'router --help'.",
        examples=(
            "sandiwara render mosquitto region-a",
            "sandiwara render mosquitto region-a --host 192.0.2.7 --out /tmp/mosquitto --lies-in /etc/mosquitto/region",
        ),
        module="console.render",
        add_arguments=add_render,
    ),
    Command(
        name="node",
        summary="run one agency's node",
        description="Run one agency's node and print the reports that it receives.",
        examples=(
            "sandiwara node region-a mys-mar",
            "sandiwara node region-a sgp-mar --broker broker.example.org:8883",
            "sandiwara node region-a sgp-mar --send report.yaml --once --wait-receipts",
        ),
        module="console.node_process",
        add_arguments=add_node,
    ),
    Command(
        name="send",
        summary="hand a report to an agency's node",
        description="Check a report file and lay it into the node's outgoing folder; a running node sends it at once,\n"
        "one that is started later sends it then.",
        examples=("sandiwara send region-a sgp-mar report.yaml",),
        module="console.send",
        add_arguments=add_send,
    ),
    Command(
        name="desk",
        summary="read, decide, recall, sign, ask and answer at an agency's node",
        description="What people at a node do beside sending reports. What is to be done is laid into the node's\n"
        "outgoing folder and carried out by the node, once; the command waits for it if the node is running. Reading\n"
        "needs no running node. Ends with 1 if the node refuses, or if nothing of a message may be read.",
        examples=DESK_EXAMPLES,
        module="console.desk",
        add_arguments=add_desk,
    ),
    Command(
        name="log",
        summary="show what the broker decided, and why",
        description="Show each report's portions, who got them, who did not and by which rule, decided anew as of the\n"
        "logged time by the bundle of that time. The broker may be running.",
        examples=("sandiwara log region-a", "sandiwara log region-a --hid 3fa9 --json"),
        module="console.log",
        add_arguments=add_log,
    ),
    Command(
        name="marks",
        summary="show what national markings come to, from state to state",
        description="How a community maps the marks of its members onto the levels of the exercise, and what a\n"
        "mark of one state becomes in another. Ends with 1 if it loses some of its meaning on the way.",
        examples=(
            "sandiwara marks region",
            "sandiwara marks region --state MYS --mark SULIT --to IDN",
        ),
        module="console.marks",
        add_arguments=add_marks,
    ),
    Command(
        name="tearline",
        summary="find what of a stricter portion shows in one that reaches further",
        description="Lint a report before it is sent. Where a portion may be read by agencies that may not read\n"
        "another, look in it for the other's indicators, places, times, names, numbers, phrases and uncommon words,\n"
        "and compute the banner of the whole. Ends with 1 if anything but single words shows.",
        examples=(
            "sandiwara tearline report.yaml --as mys-di --pack strait-lantern",
            "sandiwara tearline report.yaml --as mys-di --pack strait-lantern --allow 'second boarding,eastbound lane'",
        ),
        module="console.tearline",
        add_arguments=add_tearline,
    ),
    Command(
        name="policy",
        summary="show what a change of the rules would have done to what was sent",
        description="Decide every portion that was released once more, as of its own time, by the rules that held and\n"
        "by those that are proposed: who would have got what, who would not, and by which rule. Ends with 1 if any\n"
        "past report would have gone elsewhere.",
        examples=(
            "sandiwara policy diff strait-lantern my-lantern --log out/demo",
            "sandiwara policy diff region-a/broker/bundle proposed/bundle --log region-a --json",
        ),
        module="console.policy",
        add_arguments=add_policy,
    ),
    Command(
        name="bundle",
        summary="show, change, sign and install who is who in such a region",
        description="Change the community of a region that 'init' made while it runs: who stands in which agreement\n"
        "from which date on, who is suspended or revoked, who is cleared for what, who holds the chair. A change is\n"
        "a new version of the bundle: proposed, signed by one authority after the other, and installed.",
        examples=(
            "sandiwara bundle show region-a",
            "sandiwara bundle propose region-a --join our-eyes=TLS@2027-03-14 --out next",
            "sandiwara bundle sign next --as auth-chair --keys region-a",
            "sandiwara bundle sign next --as auth-host --keys region-a",
            "sandiwara bundle install region-a next",
        ),
        module="console.bundle",
        add_arguments=add_bundle,
    ),
    Command(
        name="audit",
        summary="check the provable log of a play, or write that of a region down",
        description="Check an exported log without the broker and the nodes: every leaf, checkpoint and cosignature,\n"
        "and the log against every agency's own journal. Ends with 1 if anything is wrong, and says what and where.\n"
        "A play has its log exported already; that of a region on machines of its own is exported once its broker\n"
        "and nodes have been stopped.",
        examples=(
            "sandiwara audit verify plays/strait-lantern-1/log",
            "sandiwara audit export region-a log",
            "sandiwara audit export node-of-mys-mar log --agency mys-mar",
        ),
        module="console.audit",
        add_arguments=_add_audit,
    ),
    Command(
        name="noninterference",
        summary="prove that a secret report changes nothing for those who may not know of it",
        description="Play a pack with and without a secret report, in virtual time, and compare byte for byte what\n"
        "each observer sees: frames, topics, sizes, counts, errors, times, its database, files and log. Ends with 1\n"
        "if an observer could tell the two worlds apart, and says by what.",
        examples=(
            "sandiwara noninterference strait-lantern",
            "sandiwara noninterference strait-lantern --report S03 --observer tha-mar",
            "sandiwara noninterference my-pack --secret E04 --seed 7 --out sights",
        ),
        module="console.noninterference",
        add_arguments=add_noninterference,
    ),
    Command(
        name="soak",
        summary="look for lost, doubled or misdirected reports under faults",
        description="Run a region of 25 agencies in virtual time under random work and faults, and check after every\n"
        "commit what must hold. What breaks is cut down to a small plan that can be replayed. Ends with 1 if\n"
        "anything broke, or if a long soak never saw a kind of fault that it should have tried.",
        examples=(
            "sandiwara soak --seeds 200 --jobs 2",
            "sandiwara soak --seeds 50 --only old_snapshot,power_cut",
            "sandiwara soak --seeds 10 --crowd --jobs 2",
            "sandiwara soak --plan soak-17.json",
            "sandiwara soak --canaries --jobs 2",
        ),
        module="console.soak",
        add_arguments=_add_soak,
    ),
    Command(
        name="schemas",
        summary="write the message formats as JSON Schema",
        description="Write the shapes of all messages as JSON Schema, one file each.",
        examples=("sandiwara schemas ./schemas",),
        module="console.schema_files",
        add_arguments=_add_schemas,
    ),
    Command(
        name="completion",
        summary="write the completion script of a shell",
        description="Write the completion script of a shell on stdout.",
        examples=("sandiwara completion bash > ~/.local/share/bash-completion/completions/sandiwara",),
        module="",
        add_arguments=_add_completion,
    ),
)  # fmt: skip


def add_commands(
    parser: argparse.ArgumentParser, *, common: argparse.ArgumentParser, with_run: bool, whole: bool
) -> None:
    """Add every command.

    Args:
        parser: Of the whole command line.
        common: The options that every command has.
        with_run: Whether the command that plays an exercise is installed.
        whole: Whether its own arguments are needed, which its own module knows.
    """
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    if with_run:
        _add_run(commands, common=common, whole=whole)
    for command in _COMMANDS:
        added = commands.add_parser(
            command.name,
            help=command.summary,
            description=command.description,
            epilog="\n".join(["examples:", *(f"  {line}" for line in command.examples)]),
            parents=[common],
            formatter_class=HelpFormat,
            allow_abbrev=False,
        )
        added.set_defaults(module=command.module)
        command.add_arguments(added)


def _add_run(commands: "argparse._SubParsersAction[Any]", *, common: argparse.ArgumentParser, whole: bool) -> None:
    added = commands.add_parser(
        "run",
        help="play an exercise",
        parents=[common],
        formatter_class=HelpFormat,
        allow_abbrev=False,
    )
    added.set_defaults(module="console.run")
    if whole:
        import importlib

        importlib.import_module("console.run").add_arguments(added)
