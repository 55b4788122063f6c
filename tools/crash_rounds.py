"""Kill processes of a region at random moments, again and again, and see whether anything was lost: hours, if wanted.

    .venv/bin/python tools/crash_rounds.py --rounds 100 --seed 7

Each round hands reports to two nodes, kills one process (the broker or a node) after a while that the seed draws, and
starts it again. At the end every disk, every command's word and the verified log must agree. The rounds through every
named point are tests/e2e/test_crash_rounds.py; these here fall between the points too. Not part of ``make test``.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from random import Random  # noqa: TID251 - draws when to kill; nothing of the product takes part

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.samples.crash_account import NODES, audited
from tests.samples.crash_lives import BROKER, PASSWORD, crash_region

_WHILE_S_MAX = 0.4  # most of what follows a report is over by then on an idle machine


def main() -> int:
    """Run the rounds; 1 if anything does not agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100, help="how many processes to kill (default: 100)")
    parser.add_argument("--seed", type=int, default=1, help="draws who is killed, and when (default: 1)")
    arguments = parser.parse_args()
    chance = Random(arguments.seed)  # noqa: S311 - no secret
    with tempfile.TemporaryDirectory() as folder:
        with crash_region(Path(folder) / "crash") as region:
            region.start_all()
            for _ in range(arguments.rounds):
                for author in chance.sample(NODES, 2):
                    region.hand_over(author)
                time.sleep(chance.uniform(0, _WHILE_S_MAX))
                name = chance.choice((BROKER, *NODES))
                region.lives[name].kill()
                region.start(name)
            account = region.settle()
        wrong = account.wrong(region.handed, region.told)
        said = audited(region.folder, Path(folder) / "log", password=PASSWORD)
    print("\n".join([*wrong, said.rstrip()]))
    print(f"{arguments.rounds} kills, {len(region.handed)} reports, {len(wrong)} things that do not agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
