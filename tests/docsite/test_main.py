"""`python -m docsite` writes the tables again."""

from pathlib import Path

import pytest

from docsite import __main__, settings_table


def test_a_page_is_written_only_if_its_table_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "settings.md"
    page.write_text("before\n<!-- settings -->\n<!-- /settings -->\nafter\n", encoding="utf-8")
    monkeypatch.setattr(__main__, "PAGE", page)
    __main__.main()
    assert "commit it" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert (
        text.startswith("before\n") and text.endswith("after\n") and "\n".join(settings_table.settings_table()) in text
    )
    __main__.main()
    assert capsys.readouterr().out == ""
