"""One value of each shape that goes over the wire, plain enough to be read, full enough to show each field."""

from typing import Any

from schemas.bundle import (
    Agency,
    Authority,
    AuthoritySignature,
    Bundle,
    Mechanism,
    Membership,
    Predicate,
    RouterKey,
    Rule,
    SignedBundle,
    SignKey,
    TrustRoot,
)
from schemas.envelope import Disclosed, Disclosure, Disclosures, Envelope, Header, Wrap
from schemas.frames import Ack, BoxKeyStatement, Delivery, Hello, Lookup, Refusal, RouterVerdict
from schemas.label import Label
from schemas.report import Grading, Indicator, Observed, Passage, Place, Portion, PortionContent, Report
from schemas.workflow import (
    CoordContent,
    CosignContent,
    DecisionContent,
    DeconflictAsk,
    DeconflictReply,
    ObjectionContent,
    OverrideContent,
    ProposalContent,
    ReceiptContent,
    ReceiptItem,
    ReleaseTerms,
    RequestContent,
    RfiContent,
)

HASH, SIGNATURE, KEY = b"\x01" * 32, b"\x02" * 64, b"\x03" * 32
LABEL = Label(tlp="AMBER", level="EX-RESTRICTED", topic="toc.piracy", rel=("@asean", "SGP"), affected=("IDN", "MYS"))
CONTENT = PortionContent(
    marking="EXERCISE",
    title="Boarding at anchor",
    body=(Passage("p1", "Two skiffs approached."), Passage(None, " They left.")),
    indicators=(Indicator("vessel-name", "MV EXAMPLE"),),
    places=(Place("One Fathom Bank", 2_883_333, 100_983_333, "approximate", 500),),
    observed=Observed(1_000, None, "estimated"),
    grading=Grading("B", "2"),
)
SIGN_KEY = SignKey(KEY, 0, 2_000)
BUNDLE = Bundle(
    v=1,
    version=7,
    issued=1_000,
    expires=2_000,
    levels=("EX-UNCLAS", "EX-RESTRICTED"),
    compartments=("KITE",),
    groups=(),
    mechanisms=(Mechanism("mecha", "An agreement", (Membership("SGP", "member", 0),)),),
    agencies=(
        Agency(
            *("sgp-csa", "A cyber agency", "SGP", "cert", "member", "EX-RESTRICTED", ("KITE",), (), (), "active"),
            keys=(SIGN_KEY,),
        ),
    ),
    routers=(RouterKey("router", SIGN_KEY),),
    rules=(Rule("cyber-to-certs", "permit", (Predicate("role", ("cert",)),)),),
    marks=(),
)
EXAMPLES: dict[str, Any] = {
    "bundle": BUNDLE,
    "box-key": BoxKeyStatement("sgp-csa", 3, KEY, 1_000, 2_000),
    "decision": DecisionContent("EXERCISE", "mys-nacsa", "grant", 1, "", "needed at sea", 2_000),
    "objection": ObjectionContent("EXERCISE", "not before our own check"),
    "proposal": ProposalContent("EXERCISE", "boats", "for a patrol", ReleaseTerms(HASH, 1, "dp-jpn-mar"), 2_000),
    "override": OverrideContent("EXERCISE", "duty", "vessel-adrift", 1, 2, 3, 1_000, (Passage(None, "adrift"),)),
    "cosignature": CosignContent("EXERCISE", None, "our source was wrong"),
    "coordination": CoordContent("EXERCISE", "task", "board the boat", "at the anchorage", 2_000),
    "deconflict-ask": DeconflictAsk("EXERCISE", "ask", (HASH,) * 16),
    "deconflict-reply": DeconflictReply("EXERCISE", "reply", (HASH,) * 16, (HASH,) * 64),
    "rfi": RfiContent("EXERCISE", "the boat", "Where is it bound?", "a boarding", 2_000),
    "disclosure": Disclosure(b"\x04" * 16, LABEL, HASH, 0),
    "envelope": Envelope(
        *(b"header", HASH, SIGNATURE, (None,), Disclosures(None, (Disclosed(0, b"disclosure"),)), b"wraps"),
        blobs=(b"blob",),
    ),
    "frame-down": (1, (Delivery("delivery", 1, b"envelope"),)),
    "frame-up": (1, (Hello("hello", 0, 7), Ack("ack", 0), Lookup("lookup", ("sgp-csa",)))),
    "header": Header(1, "report", ("sgp-csa",), 1_000, 2_000, 7, None, (HASH,)),
    "label": LABEL,
    "portion-content": CONTENT,
    "receipt": ReceiptContent("EXERCISE", (ReceiptItem(HASH, 1, "opened", 1_000),)),
    "report": Report((Portion(LABEL, CONTENT),)),
    "request": RequestContent("EXERCISE", "mys-nacsa", 0, "piracy", "our coast", 2_000),
    "signed-bundle": SignedBundle(b"bundle", (AuthoritySignature("authority-a", SIGNATURE),)),
    "trust-root": TrustRoot((Authority("authority-a", KEY),), 1),
    "verdict": RouterVerdict(
        *("router", HASH, HASH, "refused", "AUDIENCE", ("R2-compartment",), (("sgp-csa", 1),)),
        *((Refusal(0, "mys-nacsa", "R2-compartment", "holds no KITE"),), 12, 1_000),
    ),
    "wraps": (Wrap("mys-nacsa", 3, 3, 1, 9, b"\x05" * 48),),
}
