"""Orders about joint products: what could never be carried out is refused when the pack is loaded."""

from pathlib import Path

import pytest

from scenarios.pack import load_pack
from scenarios.problems import PackError

PACK = Path(__file__).parent.parent / "packs" / "joint-picture.yaml"


def test_a_joint_order_names_its_cosigners_and_how_many_have_to_sign() -> None:
    orders = {order.order: order for order in load_pack(PACK).orders}

    assert (("idn-mar", "sgp-mar"), 2, ("tha-mar",)) == (orders["J1"].cosigners, orders["J1"].needs, orders["J1"].to)
    assert ("withdraw", "S1") == (orders["W1"].do, orders["W1"].withdraws)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    with: [idn-mar, sgp-mar]\n", "", "asks nobody to co-sign"),
        ("with: [idn-mar,", "with: [mys-mar,", "a lead does not co-sign"),
        ("needs: 2", "needs: 3", "3 co-signatures of 2 can never come"),
        ("needs: 2", "needs: 0", "a number of co-signatures is expected"),
        ("    to: [tha-mar]\n", "", "has no 'to'"),
        ("withdraws: S1", "withdraws: C1", "the order C1 signs nothing"),
        (", withdraws: S1", "", "takes nothing back"),
        ("do: cosign, why", "do: cosign, needs: 1, why", "'needs' means nothing where the desk is to cosign"),
    ],
)
def test_an_order_that_could_never_be_carried_out_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = PACK.read_text(encoding="utf-8")
    assert old in text
    bent = tmp_path / "bent.yaml"
    bent.write_text(text.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(PackError) as caught:
        load_pack(bent)

    assert any(said in str(problem) for problem in caught.value.problems)
