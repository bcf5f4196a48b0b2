"""Markdown of reports: whatever a name holds, it is shown as it is."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentlab.directions import Direction
from latentlab.markdown import Markup, code, code_block, escape, table
from stylegan2.describing import printable

markdown_it = pytest.importorskip("markdown_it")

NASTY = "a|b](x)<script>alert(1)</script>![p](http://e)`c`**d**_e_~f~&lt;$g$\n# h\x1b[31m\\"
NAMES = st.text(st.sampled_from(list("ab1 |[]()<>!`*_~&;:$#+->\\\n/\x1b")), min_size=1, max_size=30)


def rendered(text):
    return markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)


def shown(page):
    return html.unescape(re.sub(r"<[^>]*>", "", page))


@given(NAMES | st.just(NASTY))
def test_text_is_shown_as_it_is(name):
    for line in (f"x {escape(name)} y", f"# x {escape(name)} y", f"- {escape(name)} y"):
        page = rendered(line)
        assert set(re.findall(r"<(\w+)", page)) <= {"p", "h1", "ul", "li"}, page
        assert " ".join(printable(name).split()) in " ".join(shown(page).split())


@given(NAMES | st.just(NASTY))
def test_cells_stay_cells(name):
    page = rendered(table([name, "b"], [[name, code(name)], [1.5, name]], bold={(0, 0)}))
    assert page.count("<th>") + page.count("<th ") == 2 and page.count("<td") == 4
    assert set(re.findall(r"<(\w+)", page)) <= {"table", "thead", "tbody", "tr", "th", "td", "code", "strong"}


@given(NAMES | st.just(NASTY))
def test_code_is_shown_as_it_is(name):
    page = rendered(f"x {code(name)} y")
    assert shown(page).split() == f"x {printable(name)} y".split()
    assert set(re.findall(r"<(\w+)", page)) <= {"p", "code"}
    assert rendered(code_block(name) + "\n\ntext").count("<p>") == 1 or not name.strip()


def test_what_is_no_markup_stays_readable():
    for text in ("0.91 [0.88, 0.94]", "mouth_open", "5 * 3 < 4", "a & b", "-0.5", "+2 σ", "photo-1.jpg (2)"):
        assert escape(text) == text
    assert escape(Markup("`a`")) == "`a`"


def test_the_card_of_a_direction(tiny):
    card = Direction([0.0] * 31 + [1.0], NASTY, "Mean", generator=NASTY, statistics={NASTY: NASTY}).card()
    page = rendered(card)
    assert "script>" not in page.replace("&lt;script&gt;", "").replace("&lt;/script&gt;", "")
    assert page.count("<a ") == page.count("<img") == 0
    assert {row.count("<td") for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)} == {0, 2}
