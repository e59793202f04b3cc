"""What may be recorded of how a choice came about, and what may not."""

from __future__ import annotations

import pytest

from consent_filter.circumstances import SURFACES, Circumstances
from consent_filter.errors import Refused


@pytest.mark.parametrize(
    "locale",
    ["de", "pt-BR", "zh-Hans-CN", "es-419", "EN-us", "ca-ES-valencia", "sr-Latn-RS-ekavsk", "gsw-CH-1996"],
)  # fmt: skip
def test_a_language_tag(locale: str) -> None:
    assert Circumstances(locale=locale).locale == locale


@pytest.mark.parametrize(
    "locale",
    ["", "d", "german-language", "de_CH", "de-", "-de", "de--CH", "de-CH\n", "x-canary", "en-u-ca-gregory",
     "de-x-canary", "ann@mail.example", "de-CH-" + "abcde-" * 9, "d\u0435",
     "\u212ag", "sk-\u0661\u0662\u0663"],
)  # fmt: skip
def test_no_language_tag(locale: str) -> None:
    with pytest.raises(Refused) as refused:
        Circumstances(locale=locale)
    assert (refused.value.status, refused.value.code) == (400, "locale")
    assert len(locale) < 4 or locale not in str(refused.value)


@pytest.mark.parametrize(
    "wording", ["banner", "banner/3", "cookie-banner_2024-06-07/v1.2", "B" * 48 + "/" + "2" * 16]
)
def test_the_name_of_a_text(wording: str) -> None:
    assert Circumstances(wording=wording).wording == wording


@pytest.mark.parametrize(
    "wording",
    ["", "/3", "canary/", "banner/3/4/5", "a b", "ann@mail.example", "b\u00e4nner", "banner\n", "B" * 49,
     "b/" + "2" * 17, "<script>", "\u0663"],
)  # fmt: skip
def test_no_name_of_a_text(wording: str) -> None:
    with pytest.raises(Refused) as refused:
        Circumstances(wording=wording)
    assert refused.value.code == "wording"
    assert len(wording) < 4 or wording not in str(refused.value)


def test_surfaces_are_a_closed_list() -> None:
    assert [Circumstances(surface=one).surface for one in SURFACES] == list(SURFACES)
    for other in ("", "Banner", "canary-popup"):
        with pytest.raises(Refused, match="surface is one of banner, panel") as refused:
            Circumstances(surface=other)
        assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("texts", "id", "found"),
    [
        ({"wording": "canary-device-7/2"}, "canary-device-7", True),
        ({"wording": "banner-canary-device-7"}, "Canary-Device-7", True),
        ({"wording": "banner/4711"}, "4711", True),
        ({"wording": "banner-4711/1"}, "4711", True),
        ({"locale": "de-4711abcd"}, "4711ABCD", True),
        ({"wording": "banner/3", "locale": "de"}, "d", False),
        ({"wording": "banner/3", "locale": "de"}, "canary-device-7", False),
        ({}, "canary-device-7", False),
    ],
)
def test_a_text_that_holds_the_id_is_found(texts: dict[str, str], id: str, found: bool) -> None:
    assert Circumstances(**texts).names(id) is found
