"""The words that reports are made of and that give nothing away by standing above and below a tear-line."""

from typing import Final

COMMON_WORDS: Final = frozenset(
    """
    a about above across after again against ahead all almost along already also although always am among an and
    another any anybody anything are area around as ask asked at away back be became because become been before
    began begin being below beside best better between beyond big both bring brought but by call called came can
    cannot carried carry case cases cause centre certain change city clear close come coming common concern
    could country course date day days did different do does doing done down during each early either else end
    enough even ever every everybody exercise expect expected fact far few find first follow for found from full
    further gave general get give given go goes going gone good got great group had half hand has have he held
    help her here high him his hold hour hours how however if important in indeed information inside instead
    into is it item its itself just keep kept kind know known large last late later least leave left less let
    like likely line little local long look lost low made main make many may me mean means member might minute
    minutes more morning most much must my name near nearly need needed never new next night no nobody none nor
    not note nothing now number of off often old on once one only open or order other others our out over own
    part passed past people perhaps place possible present probably public put quite rather received region
    remain report reported reports said same saw say second see seem seen sent set several shall she should show
    shown side since small so some somebody something soon source stand state states still stop stopped such
    sure take taken tell than that the their them then there therefore these they thing things think this those
    though through time times to today together told too took toward towards turn two under until up upon us use
    used usual very was way we week well went were what when where whether which while who whole whom whose why
    will with within without word work would write written year years yes yesterday yet you your
    """.split()  # noqa: SIM905 - four hundred words are read as words, not as a list
)
