"""`throng explore` of a funnel: it spends, says what is left, and tells what was told before."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.warehouse.funnels import crowd, filled
from throng.main import main

ASKED = "funnel page '/' then event 'sign_up' from 2026-09-01 to 2026-09-03"


def test_a_funnel_is_followed_once_and_paid_for_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path, crowd())
    (tmp_path / "throng.toml").write_text(
        "[warehouse]\nquery_seconds = 60\nfunnel_rho = 0.005\nfunnel_rho_month = 0.01\n"
    )

    def ask(text: str) -> tuple[int, str, str]:
        code = main(["explore", text, "--format", "csv", "--data", str(tmp_path)])
        return code, *capfd.readouterr()

    code, rows, said = ask(ASKED)
    assert code == 0, said
    assert rows.splitlines()[0].replace(chr(34), "") == "step,kind,value,people,people_low,people_high"
    assert [line.split(",")[2].strip(chr(34)) for line in rows.splitlines()[1:]] == ["/", "sign_up"]
    assert "; 3 days\n2026-09: new funnels left: 1 of 2\n" in said
    assert ask(ASKED.replace("funnel page", "FUNNEL  Page")) == (0, rows, said), (
        "it is told, and costs nothing"
    )
    code, rows, said = ask(ASKED.replace("from 2026-09-01 to 2026-09-03", "on 2026-09-01"))
    assert (code, "; 1 day\n2026-09: new funnels left: 0 of 2\n" in said) == (0, True), said
    code, rows, said = ask(ASKED.replace("sign_up", "hired"))
    assert code != 0
    assert rows == ""
    assert "2026-09" in said
    assert "days from 2026-10-01 on" in said
