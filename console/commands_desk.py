"""The arguments of ``sandiwara desk``: whose desk it is, and then a verb with arguments of its own."""

import argparse
from collections.abc import Callable
from typing import Any, Final

from console.label_options import add_label_options
from console.parser import HelpFormat, common_options

DESK_EXAMPLES: Final = (
    "sandiwara desk region-a idn-mar inbox",
    "sandiwara desk region-a rb-ifc request 3fa9c1 --for idn-mar --why 'They fled into its waters' --within 2h",
    "sandiwara desk region-a mys-mar decide 77ab02 grant --expires 48h --why 'It is their search now'",
    "sandiwara desk region-a mys-mar recall 3fa9c1 --why 'It was another barge'",
    "sandiwara desk region-a rb-ifc propose picture.yaml --cosigners mys-mar,idn-mar,sgp-mar --needed 2",
    "sandiwara desk region-a idn-mar sign 90d1e4",
)
# Spelled here too, since the words of the command line must not cost the import of the shapes; a test compares them.
DANGER_WORDS: Final = (
    "persons-in-water", "vessel-adrift", "vessel-sinking", "vessel-missing", "fire", "hazardous-release",
    "medical-emergency", "hospital-diverting", "attack-imminent", "lifeline-down",
)  # fmt: skip
_READING: Final = frozenset({"inbox", "read", "recall-state"})
_HID: Final = "the beginning of a message's id, four digits or more"
_SUBJECT_CHARS_MAX: Final = 200  # of an RFI, the shortest of all subjects
_REASON_CHARS_MAX: Final = 1_000
_OFFICE_CHARS_MAX: Final = 80
_TEXT_CHARS_MAX: Final = 4_000


def add_desk(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``desk``."""
    parser.add_argument("folder", metavar="DIR", help="the region's folder, as 'init' made it, or the node's part")
    parser.add_argument("agency", metavar="AGENCY", help="whose desk, such as mys-mar")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", dest="verb", required=True)
    common = common_options()

    def add(name: str, help_text: str, *examples: str) -> argparse.ArgumentParser:
        lines = [f"  sandiwara desk region-a {line}" for line in examples]
        added: argparse.ArgumentParser = verbs.add_parser(
            name, help=help_text, description=f"{help_text[0].upper()}{help_text[1:]}.", parents=[common],
            epilog="\n".join(["examples:", *lines]), formatter_class=HelpFormat, allow_abbrev=False,
        )  # fmt: skip
        if name not in _READING:
            added.add_argument(
                "--wait", metavar="TIME", default="10s", help="how long to wait for the node to do it (default: 10s)"
            )
        return added

    _add_reading(add)
    _add_consent(add)
    _add_products(add)
    _add_questions(add)
    _add_coordination(add)


Add = Callable[..., argparse.ArgumentParser]


def _add_reading(add: Add) -> None:
    inbox = add("inbox", "show what is held, what waits for this desk, and what it waits for", "idn-mar inbox --all")
    inbox.add_argument("--all", action="store_true", help="all that is held, not only the last twenty")
    read = add("read", "show a message with its labels and its lineage", "idn-mar read 3fa9")
    read.add_argument("hid", metavar="HID", help=_HID)
    state = add("recall-state", "show who has erased a message that was recalled, and who used it in what",
                "mys-mar recall-state 3fa9")  # fmt: skip
    state.add_argument("hid", metavar="HID", help=_HID)


def _add_consent(add: Add) -> None:
    request = add(
        "request", "ask the originator of a message to release it to somebody",
        "rb-ifc request 3fa9 --for idn-mar --why 'They fled into its waters' --within 2h",
        "idn-mar request 3fa9 --portions 0,2 --why 'For the search'",
    )  # fmt: skip
    request.add_argument("hid", metavar="HID", help=_HID)
    request.add_argument("--for", dest="reader", metavar="AGENCY", help="who is to read it (default: this agency)")
    _add_portions(request, "only these places of it, as 'read' shows them (default: whatever can be given)")
    request.add_argument("--subject", type=_reason, metavar="TEXT", help="what it is about (default: its title)")
    _add_why(request)
    _add_within(request, "2h", "when it lapses if nobody decides")
    request.add_argument("--until", metavar="TIME", help="how long the reader wants it (default: for good)")
    decide = add(
        "decide", "grant or refuse what was requested; a grant releases it at once",
        "mys-mar decide 77ab grant --expires 48h --conditions 'For the search alone' --why 'It is their search'",
        "mys-mar decide 77ab refuse --why 'The case is open'",
    )  # fmt: skip
    decide.add_argument("hid", metavar="HID", help=_HID)
    decide.add_argument("outcome", metavar="OUTCOME", choices=("grant", "refuse"), help="grant or refuse")
    decide.add_argument("--message", metavar="HID", help="what is released (default: what the request names)")
    _add_portions(decide, "only these places of it (default: what was asked for)")
    decide.add_argument("--conditions", type=_short, metavar="TEXT", default="", help="what the reader is bound to")
    decide.add_argument("--expires", metavar="TIME", help="how long the grant lasts (default: for good)")
    _add_why(decide)
    forward = add(
        "forward", "hand on portions of a message as they are, if the rules and their originators let them go on",
        "rb-ifc forward 3fa9 --to idn-mar --why 'It is their search'",
    )  # fmt: skip
    forward.add_argument("hid", metavar="HID", help=_HID)
    forward.add_argument("--to", action="append", default=[], metavar="WHO", required=True, help="to whom")
    _add_portions(forward, "only these places of it (default: all that is held)")
    _add_why(forward)
    release = add(
        "release", "release a message of one's own to further readers, unasked, with a decision that says so",
        "sgp-mar release 3fa9 --to idn-mar --why 'It is their water too'",
    )  # fmt: skip
    release.add_argument("hid", metavar="HID", help=_HID)
    release.add_argument("--to", action="append", default=[], metavar="WHO", required=True, help="to whom")
    _add_portions(release, "only these places of it (default: all that the rules permit)")
    release.add_argument("--conditions", type=_short, metavar="TEXT", default="", help="what the reader is bound to")
    release.add_argument("--expires", metavar="TIME", help="how long they may hold it (default: for good)")
    _add_why(release)
    recall = add(
        "recall", "take a message of one's own back from everybody", "mys-mar recall 3fa9 --why 'It was wrong'"
    )
    recall.add_argument("hid", metavar="HID", help=_HID)
    _add_why(recall)
    _add_override(add)


def _add_override(add: Add) -> None:
    override = add(
        "override", "tell position and danger of a report to those who can help, past its originator's consent",
        "mys-mar override 3fa9 --authority life-safety.sar --office 'Duty controller' --danger vessel-adrift \\\n"
        "      --position '06-10.0N 099-20.0E' --radius 5nm --line 'Wooden boat, engine lost' --to idn-sar \\\n"
        "      --affected IDN --why 'It will not last until they have been asked'",
    )  # fmt: skip
    override.add_argument("hid", metavar="HID", help=_HID)
    override.add_argument("--authority", metavar="NAME", required=True, help="under which authority, life-safety.…")
    override.add_argument("--office", type=_office, metavar="TEXT", required=True, help="the role that orders it")
    override.add_argument("--danger", metavar="WORD", required=True, choices=DANGER_WORDS, help="what it is")
    override.add_argument("--position", metavar="PLACE", required=True, help="where")
    override.add_argument("--radius", metavar="DISTANCE", default="0m", help="how sure that is (default: exact)")
    override.add_argument("--line", type=_subject, metavar="TEXT", required=True, help="one plain line")
    override.add_argument("--to", action="append", default=[], metavar="AGENCY",
                          help="whom (default: all that the rules name); the originator is always told")  # fmt: skip
    override.add_argument("--affected", metavar="STATE,…", default="", help="the states concerned")
    _add_why(override, "why nobody could be asked; for this agency's own record")


def _add_products(add: Add) -> None:
    propose = add(
        "propose", "show a joint product to who is to co-sign it; it goes out by itself once enough have signed",
        "rb-ifc propose picture.yaml --cosigners mys-mar,idn-mar --needed 2 --to sgp-mar",
        "rb-ifc propose picture.yaml --include 3fa9 --include 81c0 --cosigners mys-mar,idn-mar,sgp-mar --needed 2",
    )  # fmt: skip
    propose.add_argument("file", metavar="FILE", help="the product, a YAML or JSON file as 'send' takes it")
    propose.add_argument("--cosigners", metavar="AGENCY,…", required=True, help="who is to sign beside this agency")
    propose.add_argument("--needed", type=int, metavar="N", help="how many of them have to (default: all)")
    propose.add_argument("--to", action="append", default=[], metavar="WHO", help="its readers (default: as the file)")
    propose.add_argument(
        "--include", action="append", default=[], metavar="HID",
        help="put the portions of this message in, each under its originator's veto",
    )  # fmt: skip
    sign = add("sign", "sign a joint product", "idn-mar sign 90d1")
    sign.add_argument("hid", metavar="HID", help=_HID)
    for name, text in (
        ("refuse", "refuse to sign a joint product"),
        ("withdraw", "take a signature back: the product is recalled and made again without it"),
    ):
        parser = add(name, text, f"idn-mar {name} 90d1 --why 'The second paragraph is wrong'")
        parser.add_argument("hid", metavar="HID", help=_HID)
        _add_why(parser)
    put = add(
        "put", "put something to all members of a mechanism, any of whom may stop it in time; silence lets it go",
        "tha-di put amim --message 3fa9 --for dp-aus-di --subject 'To the liaison' --why 'It helps us' --within 2h",
        "mys-di put amim --subject 'Timor-Leste becomes a member' --why 'Consensus' --within 24h",
    )  # fmt: skip
    put.add_argument("mechanism", metavar="MECHANISM", help="whose full members are asked")
    put.add_argument("--subject", type=_reason, metavar="TEXT", required=True, help="what it is about")
    put.add_argument("--message", metavar="HID", help="a message of one's own that is to go to a partner")
    put.add_argument("--for", dest="reader", metavar="AGENCY", help="the partner; 'decide' releases it afterwards")
    _add_why(put)
    _add_within(put, "2h", "how long members have to object, ten minutes at least")
    objection = add("object", "object to a proposal that silence would let go", "idn-mar object 41c7 --why 'Not yet'")
    objection.add_argument("hid", metavar="HID", help=_HID)
    _add_why(objection)


def _add_questions(add: Add) -> None:
    ask = add(
        "ask", "ask agencies for information, under the label of what the question gives away",
        "mys-mar ask rb-ifc idn-mar --tlp AMBER --topic toc.arms --subject 'Tugs off the eastern bank' \\\n"
        "      --question 'Which tugs were seen there in the last month?' --why 'For a patrol plan' --within 4h",
    )  # fmt: skip
    ask.add_argument("to", nargs="+", metavar="WHO", help="agencies, states, @groups")
    ask.add_argument("--subject", type=_subject, metavar="TEXT", required=True, help="what it is about")
    ask.add_argument("--question", type=_question, metavar="TEXT", required=True, help="what is asked")
    _add_why(ask, "what the answer is wanted for")
    _add_within(ask, "2h", "by when an answer is asked")
    add_label_options(ask)
    answer = add(
        "answer", "answer a question by a report file, or an ask for hits by what this agency holds",
        "rb-ifc answer 52d0 tugs.yaml",
        "rb-asec answer 52d0 --include 3fa9",
        "sgp-pol answer 60ee --holding 'vessel-name Bunga Melati 7' --holding 'plate SGX1234'",
        "sgp-pol answer 60ee --holding-nothing",
    )  # fmt: skip
    answer.add_argument("hid", metavar="HID", help=_HID)
    answer.add_argument("file", metavar="FILE", nargs="?", help="the answer to a question, as 'send' takes it")
    answer.add_argument(
        "--include", action="append", default=[], metavar="HID",
        help="answer by the portions of this message, if its originator lets them go on",
    )  # fmt: skip
    answer.add_argument(
        "--holding", action="append", default=[], metavar="'KIND VALUE'",
        help="what is compared with an ask for hits; none of it is sent",
    )  # fmt: skip
    answer.add_argument("--holding-nothing", action="store_true", help="compare with nothing: no hit")
    decline = add("decline", "say that a question, a task or an offer is declined", "idn-mar decline 52d0 --why 'Busy'")
    decline.add_argument("hid", metavar="HID", help=_HID)
    _add_why(decline)
    deconflict = add(
        "deconflict", "ask agencies whether they hold the same, telling them nothing of what is compared",
        "mys-mar deconflict sgp-pol --about 'vessel-name Bunga Melati 7' --subject 'Boarding of a tug'",
    )  # fmt: skip
    deconflict.add_argument("to", nargs="+", metavar="AGENCY", help="whom to ask")
    deconflict.add_argument(
        "--about", action="append", metavar="'KIND VALUE'", required=True, help="what they may hold too; repeatable"
    )
    deconflict.add_argument("--subject", type=_subject, metavar="TEXT", required=True, help="for one's own record")
    _add_within(deconflict, "1h", "when one is told that nothing came")


def _add_coordination(add: Add) -> None:
    for name, text in (("task", "ask agencies to do something"), ("offer", "offer agencies to do something")):
        parser = add(name, text, f"mys-mar {name} sgp-pol --subject 'Clear the way' --text 'Tell us when' --within 2h")
        parser.add_argument("to", nargs="+", metavar="AGENCY", help="whom")
        parser.add_argument("--subject", type=_subject, metavar="TEXT", required=True, help="what is to be done")
        parser.add_argument("--text", type=_long, metavar="TEXT", default="", help="what else there is to say")
        _add_within(parser, "4h", "by when it is to be done")
        parser.add_argument("--affected", metavar="STATE,…", default="", help="the states that help is for")
        parser.add_argument("--answers", metavar="HID", help="the call for help that this answers")
    for name, text in (("accept", "take a task or an offer on"), ("done", "say that what was taken on is done")):
        parser = add(name, text, f"sgp-pol {name} 14ab --text 'By midnight'")
        parser.add_argument("hid", metavar="HID", help=_HID)
        parser.add_argument("--text", type=_long, metavar="TEXT", default="", help="what there is to say")


def _add_why(parser: argparse.ArgumentParser, text: str = "the reason; the others read it") -> None:
    parser.add_argument("--why", type=_reason, metavar="TEXT", required=True, help=text)


def _add_within(parser: argparse.ArgumentParser, default: str, text: str) -> None:
    parser.add_argument("--within", metavar="TIME", default=default, help=f"{text} (default: {default})")


def _add_portions(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--portions", metavar="PLACE,…", default="", help=text)


def _bounded(limit: int, *, empty: bool) -> Callable[[str], str]:
    def text(given: str) -> str:
        if len(given) > limit or not (empty or given.strip()):
            msg = f"give 1 to {limit} characters" if not empty else f"give {limit} characters at most"
            raise argparse.ArgumentTypeError(msg)
        return given

    return text


_reason: Callable[[str], Any] = _bounded(_REASON_CHARS_MAX, empty=False)
_short: Callable[[str], Any] = _bounded(_REASON_CHARS_MAX, empty=True)
_office: Callable[[str], Any] = _bounded(_OFFICE_CHARS_MAX, empty=False)
_subject: Callable[[str], Any] = _bounded(_SUBJECT_CHARS_MAX, empty=False)
_question: Callable[[str], Any] = _bounded(2 * _TEXT_CHARS_MAX, empty=False)
_long: Callable[[str], Any] = _bounded(_TEXT_CHARS_MAX, empty=True)
