"""A map of the world in which each country is one square, about where it is: drawn by hand.

Squares are of one size, so that a small country can be seen as well as a large one: a map of areas would show
land, and a number of people is not about land. The places were chosen by hand, by who is whose neighbour.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from html import escape

from markupsafe import Markup

from dashboards.language import say
from dashboards.words import countries, short, value

#: A country's code, its column and its row.
_PLACES = """
GL 6 0  CA 2 1  PM 4 1  US 2 2  BM 5 2  MX 1 4  BS 5 4  GT 1 5  BZ 2 5  CU 4 5  TC 6 5
SV 1 6  HN 2 6  KY 3 6  JM 4 6  HT 5 6  DO 6 6  PR 7 6  VG 8 6  AI 9 6  SX 8 5  NI 2 7  VI 7 7  KN 8 7  AG 9 7
MF 10 7  CR 2 8  AW 5 8  CW 6 8  BQ 7 8  GP 8 8  DM 9 8  BL 10 8  PA 3 9  LC 8 9  MQ 9 9  MS 10 9
CO 3 10  VE 4 10  TT 6 10  GD 7 10  VC 8 10  BB 9 10  EC 2 11  GY 5 11  SR 6 11  GF 7 11  PE 2 12  BR 4 12
BO 3 13  PY 4 13  CL 2 14  AR 3 14  UY 4 14  FK 4 16  GS 6 17
IS 11 0  SJ 14 0  NO 15 0  SE 16 0  FI 17 0  AX 16 1  FO 12 1  DK 15 1  EE 17 1  RU 20 1
IE 11 2  GB 12 2  IM 13 2  NL 14 2  LV 17 2  GG 11 3  JE 12 3  BE 13 3  LU 14 3  DE 15 3  PL 16 3  LT 17 3
BY 18 3  FR 12 4  LI 13 4  CH 14 4  AT 15 4  CZ 16 4  SK 17 4  UA 18 4  MC 13 5  SI 15 5  HU 16 5  RO 17 5
MD 18 5  PT 10 6  ES 11 6  AD 12 6  IT 14 6  HR 15 6  RS 16 6  BG 17 6  GE 20 6  GI 11 7  SM 14 7  BA 15 7
ME 16 7  MK 17 7  TR 18 7  AM 20 7  AZ 21 7  VA 13 7  MT 14 8  AL 16 8  GR 17 8  CY 17 9
KZ 22 4  UZ 22 5  KG 23 5  TM 21 6  TJ 23 6  AF 23 7  LB 18 8  SY 19 8  IQ 20 8  IR 21 8
IL 18 9  JO 19 9  KW 20 9  AE 22 9  PS 18 10  SA 19 10  BH 20 10  QA 21 10  YE 20 11  OM 21 11
PK 23 8  NP 25 8  BT 26 8  IN 24 9  BD 26 9  LK 24 11  MV 23 12  IO 23 14
MN 25 4  KP 27 5  CN 25 6  KR 27 6  JP 29 6  MO 26 7  TW 28 7  HK 27 8  MM 27 9  LA 28 9  VN 29 9
TH 28 10  KH 29 10  PH 31 9  MY 28 11  BN 30 11  SG 28 12  ID 29 13  TL 30 14  CC 26 14  CX 27 14
MA 12 9  DZ 13 9  TN 14 9  LY 15 9  EG 16 9  EH 11 10  MR 12 10  ML 13 10  NE 14 10  TD 15 10  SD 16 10
ER 17 10  CV 10 11  SN 11 11  GM 12 11  BF 13 11  NG 14 11  CF 15 11  SS 16 11  ET 17 11  DJ 18 11
GW 10 12  GN 11 12  CI 12 12  GH 13 12  BJ 14 12  CM 15 12  UG 16 12  KE 17 12  SO 18 12
SL 11 13  LR 12 13  TG 13 13  GQ 14 13  GA 15 13  RW 16 13  TZ 17 13  ST 13 14  CG 14 14  CD 15 14  BI 16 14
KM 18 14  SC 19 14  AO 15 15  ZM 16 15  MW 17 15  YT 19 15  SH 11 15  NA 15 16  BW 16 16  ZW 17 16  MZ 18 16
MG 19 16  RE 20 16  MU 21 16  LS 15 17  ZA 16 17  SZ 17 17  BV 14 18  TF 20 18  HM 23 18  AQ 17 19
MP 32 9  GU 32 10  PW 31 11  FM 32 11  MH 33 11  PG 31 13  NR 32 12  KI 33 12  SB 32 13  TV 33 13  TK 34 13
WS 34 14  FJ 33 14  VU 32 14  WF 33 15  AU 29 15  NC 31 15  AS 34 15  TO 34 16  NU 35 16  CK 35 15  PF 36 15
PN 36 17  NF 31 16  NZ 32 17  UM 35 11
"""
#: Pixels of a square with its gap, and how many shades there are.
_STEP, _SHADES = 26, 6


@cache
def places() -> dict[str, tuple[int, int]]:
    """Code → its column and row, from the top left."""
    words = _PLACES.split()
    return {
        code: (int(x), int(y))
        for code, x, y in zip(words[::3], words[1::3], words[2::3], strict=True)
        if code in countries()
    }


def drawn(people: Mapping[str, int]) -> Markup:
    """The map: darker, the more. A country of which nothing is told is empty. `people`: by code."""
    most = max((n for code, n in people.items() if code in places()), default=0)
    wide = max(x for x, _ in places().values()) + 1
    tall = max(y for _, y in places().values()) + 1
    out = [
        f'<svg class="world" viewBox="0 0 {wide * _STEP} {tall * _STEP}" role="img"'
        f' aria-label="{escape(say("Visitors by country; the table has the numbers"))}">'
    ]
    none = say("none told")
    for code, (x, y) in places().items():
        number = people.get(code)
        shade = 0 if not number else 1 + min(int((number / most) ** 0.5 * (_SHADES - 1)), _SHADES - 1)
        says = f"{value('country', code)}: {short(number) if number else none}"
        out.append(
            f'<g class="land s{shade}"><title>{escape(says)}</title><rect x="{x * _STEP + 1}"'
            f' y="{y * _STEP + 1}" width="{_STEP - 2}" height="{_STEP - 2}" rx="4"/>'
            f'<text x="{x * _STEP + _STEP / 2:g}" y="{y * _STEP + 17}">{code}</text></g>'
        )
    return Markup("".join(out) + "</svg>")
