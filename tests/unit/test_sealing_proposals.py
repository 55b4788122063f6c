"""A new bundle on its way from authority to authority: one signature at a time, and none that is made up."""

import pytest

from scenarios.catalogue import find_pack
from scenarios.enrolment import Community, enrol
from scenarios.pack import load_pack
from schemas.bundle import AuthoritySignature
from schemas.codec import pack
from schemas.errors import InputError, RemoteError
from sealing.entropy import SystemEntropy
from sealing.proposals import Proposal, pack_proposal, proved_authorities, read_proposal, sign_proposal
from sealing.statements import read_bundle
from tests.samples.command_line import HARBOUR_WATCH


@pytest.fixture(scope="module")
def community() -> Community:
    return enrol(load_pack(find_pack(str(HARBOUR_WATCH))), entropy=SystemEntropy())


@pytest.fixture
def proposal(community: Community) -> Proposal:
    bundle = community.bundle._replace(version=2)
    return Proposal(bundle=bundle, body=pack(bundle), signatures=())


def test_what_two_authorities_signed_one_after_the_other_is_a_bundle(community: Community, proposal: Proposal) -> None:
    """Each reads what the one before wrote, and no bundle before the threshold is one."""
    for count, authority in enumerate(("auth-host", "auth-chair"), start=1):
        received = pack_proposal(proposal)
        with pytest.raises(RemoteError):
            read_bundle(received, root=community.root, now_ms=proposal.bundle.issued)
        signer = community.authorities[authority]
        proposal = sign_proposal(read_proposal(received), authority=authority, signer=signer)
        assert count == len(proved_authorities(proposal, community.root))

    assert ("auth-chair", "auth-host") == proposal.authorities
    assert proposal.bundle == read_bundle(
        pack_proposal(proposal), root=community.root, now_ms=proposal.bundle.issued, held_version=1
    )


def test_nobody_signs_twice(community: Community, proposal: Proposal) -> None:
    signer = community.authorities["auth-chair"]
    signed = sign_proposal(proposal, authority="auth-chair", signer=signer)

    with pytest.raises(InputError, match="auth-chair has signed version 2 already"):
        sign_proposal(signed, authority="auth-chair", signer=signer)


def test_a_stranger_counts_for_nothing_and_a_made_up_signature_ends_it(
    community: Community, proposal: Proposal
) -> None:
    stranger = sign_proposal(proposal, authority="auth-nobody", signer=community.router)
    forged = sign_proposal(proposal, authority="auth-host", signer=community.router)

    assert () == proved_authorities(stranger, community.root)
    with pytest.raises(RemoteError):
        proved_authorities(forged, community.root)


def test_what_is_neither_signed_nor_a_bundle_is_refused() -> None:
    for value in (b"", pack(1), pack(()), pack((b"x", (AuthoritySignature("auth-host", bytes(64)),)))):
        with pytest.raises(RemoteError):
            read_proposal(value)
