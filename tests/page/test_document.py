"""A host's document: the one markup, and words that stay text."""

import json
from pathlib import Path

from voilearn.page.document import as_data, document, paragraphs


def test_an_introduction_is_paragraphs_and_text() -> None:
    assert paragraphs("Is it <b>?\nYes.\n\n \nGood & well. ") == (
        "<p>Is it &lt;b&gt;?\nYes.</p>\n<p>Good &amp; well.</p>"
    )
    assert paragraphs("") == ""


def test_a_document_has_the_page_and_the_authors_words_as_text(tmp_path: Path) -> None:
    template = tmp_path / "index.html"
    template.write_text(
        "<header{{language}}><h1>{{title}}</h1>{{introduction}}</header>{{markup}}{{own}}"
    )
    made = document(template, "<b> {{own}}", "One.\n\nTwo.", "pt-BR", own="{{title}}")
    head = '<header lang="pt-BR"><h1>&lt;b&gt; {{own}}</h1><p>One.</p>\n<p>Two.</p></header>'
    assert made.startswith(f'{head}<div class="voilearn-page">')
    assert made.endswith("{{title}}")  # what is filled in is no template


def test_data_ends_no_element() -> None:
    told = {"classes": ["</script><script>"]}
    assert "<" not in as_data(told)
    assert json.loads(as_data(told)) == told
