"""The community of a pack as a bundle without keys of its own: enough to ask the decision function before any play.

The loader checks by it that the bundle of the exercise will hold together; lint asks it which needs no rule permits.
Every agency bears the same public key of zeroes, which verifies nothing.
"""

from typing import Final

from pydantic import TypeAdapter, ValidationError

from policy.community import Community
from policy.consistency import check_bundle
from scenarios.model import Pack, Participant
from schemas.bundle import Agency, Bundle, RouterKey, SignKey
from schemas.errors import InputError
from schemas.limits import SIGN_KEY_BYTES, UINT_MS_MAX

_KEY: Final = SignKey(key=bytes(SIGN_KEY_BYTES), not_before=0, expires=UINT_MS_MAX)
_ROUTER: Final = "router"
_BUNDLE: Final[TypeAdapter[Bundle]] = TypeAdapter(Bundle)


def placeholder_bundle(pack: Pack) -> Bundle:
    """Return the bundle that the pack describes, with keys that nobody holds."""
    return Bundle(
        v=1,
        version=1,
        issued=0,
        expires=UINT_MS_MAX,
        levels=pack.levels,
        compartments=pack.compartments,
        groups=pack.groups,
        mechanisms=pack.mechanisms,
        agencies=tuple(_agency(participant) for participant in pack.participants),
        routers=(RouterKey(_ROUTER, _KEY),),
        rules=pack.rules,
        marks=pack.marks,
    )


def _agency(participant: Participant) -> Agency:
    return Agency(
        agency=participant.agency,
        name=participant.name,
        state=participant.state,
        role=participant.role,
        kind=participant.kind,
        clearance=participant.clearance,
        compartments=participant.compartments,
        purposes=participant.purposes,
        client_of=participant.client_of,
        status="active",
        keys=(_KEY,),
    )


def compile_community(pack: Pack) -> Community:
    """Make the pack's community ready to decide by.

    Raises:
        InputError: If it does not hold together.
    """
    return Community.compile(placeholder_bundle(pack))


def check_community(pack: Pack) -> None:
    """Check that the bundle of the exercise can be made from this pack.

    Raises:
        InputError: With the first thing that a bundle could not hold.
    """
    bundle = placeholder_bundle(pack)
    try:
        _BUNDLE.validate_python(bundle)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        msg = f"the community cannot be made into a bundle: {where}: {first['msg']}"
        raise InputError(msg, remedy="shorten or correct it") from error
    check_bundle(bundle)
