"""Cases 72 to 80 of docs/spec/hooks.md section 8: arguments, merged and filled in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.hookrun.arguments import (
    ArgumentError,
    _Query,
    header_value,
    query_value,
    substitute,
    url_value,
    values_of,
)
from operators.planning.actions import CreateHookRun
from operators.planning.hooks.arguments import UnresolvedArgument, merge_arguments
from operators.planning.hooks.pods import Hook, new_run
from operators.planning.inplace.update import ContainerSource
from operators.planning.views import ContainerView, HookTemplateView, PodView


def test_hook_72_unclosed_tag() -> None:
    with pytest.raises(ArgumentError, match=r'Cannot find end tag="}}"'):
        substitute("{{123", {})


def test_hook_73_argument_without_value() -> None:
    with pytest.raises(ArgumentError, match='argument "name" was not supplied'):
        values_of((("other", "1"), ("name", None)))


def test_hook_74_unknown_tag() -> None:
    with pytest.raises(ArgumentError, match=r"failed to resolve \{\{\}\}"):
        substitute("{{}}", {"name": "n"})


@pytest.mark.parametrize("text", ["{{args.name}}", "{{ args.name }}"])
def test_hook_75_spaces_do_not_matter(text: str) -> None:
    assert substitute(f"a{text}b{text}", {"name": "n"}) == "anbn"


def test_hook_76_brackets_in_names() -> None:
    assert substitute("{{ args.PodContainer[0] }}", {"PodContainer[0]": "game"}) == "game"


def test_what_is_filled_in_is_not_read_again() -> None:
    assert substitute("{{ args.a }}", {"a": "{{ args.b }}", "b": "secret"}) == "{{ args.b }}"


def test_hook_77_merge() -> None:
    merged = merge_arguments([("abc", "123")], [("abc", "456"), ("x", "1"), ("PodName", "p"), ("PodContainer[1]", "c")])
    assert merged.args == (("abc", "456"), ("PodName", "p"), ("PodContainer[1]", "c"))
    assert merged.dropped == ("x",)


@pytest.mark.parametrize("name", ["MyPodName", "PodNameX", "PodContainer", "PodContainer[a]", "HostIP[0]"])
def test_hook_77_only_the_exact_names_are_built_in(name: str) -> None:
    assert merge_arguments([], [(name, "1")]).dropped == (name,)


def test_hook_78_declared_but_not_supplied() -> None:
    with pytest.raises(UnresolvedArgument, match=r"args\.service-name was not resolved"):
        merge_arguments([("service-name", None)], [("x", "1")])
    assert merge_arguments([("service-name", None)], [("service-name", "")]).args == (("service-name", ""),)


def test_hook_79_which_containers_an_update_changes() -> None:
    images = {"web": "web:1", "game": "game:1", "log": "log:1"}
    containers = tuple(ContainerView(name, image) for name, image in images.items())
    pod = PodView("d", "p", "u", "1", 0.0, "Running", {}, {}, containers=containers)
    template = HookTemplateView("d", "t", "u", "1", (), ({},))
    run = new_run("preinplace", Hook("t"), template, pod, {**images, "game": "game:2"})
    assert isinstance(run, CreateHookRun)
    args = {a["name"]: a["value"] for a in run.spec["args"]}
    assert [args[f"PodContainer[{n}]"] for n in range(3)] == ["web", "game", "log"]
    assert {n: v for n, v in args.items() if n.startswith("Modified")} == {"ModifiedContainer[0]": "game"}


def test_hook_79_behind_a_mirror_only_what_the_template_changes_is_told() -> None:
    images = {"web": "web:1", "game": "game:1"}
    containers = tuple(ContainerView(name, f"mirror/{image}") for name, image in images.items())
    pod = PodView("d", "p", "u", "1", 0.0, "Running", {}, {}, containers=containers)
    template = HookTemplateView("d", "t", "u", "1", (), ({},))
    wanted = {**images, "game": "game:2"}
    run = new_run("preinplace", Hook("t"), template, pod, wanted, ContainerSource("gd-1", images))
    assert isinstance(run, CreateHookRun)
    args = {a["name"]: a["value"] for a in run.spec["args"]}
    assert {n: v for n, v in args.items() if n.startswith("Modified")} == {"ModifiedContainer[0]": "game"}


def test_hook_80_pod_address_in_a_canary_run() -> None:
    with pytest.raises(ArgumentError, match=r"failed to resolve \{\{ args.PodIP \}\}"):
        substitute("http://{{ args.PodIP }}/", {"HostIP": "10.0.0.1"}, url_value)


@pytest.mark.parametrize(
    ("template", "value", "url"),
    [
        ("http://{{ args.x }}:80/a", "10.0.0.1", "http://10.0.0.1:80/a"),
        ("http://{{ args.x }}:80/a", "fd00::1", "http://[fd00::1]:80/a"),
        ("http://h/{{ args.x }}", "a b", "http://h/a%20b"),
        ("http://h/?q={{ args.x }}", 'é"', "http://h/?q=%C3%A9%22"),
        ("http://h/?q={{ args.x }}", "a=1&b=%20", "http://h/?q=a=1&b=%20"),
    ],
)
def test_url_values(template: str, value: str, url: str) -> None:
    assert substitute(template, {"x": value}, url_value) == url


def test_header_values_cannot_add_headers() -> None:
    with pytest.raises(ArgumentError, match="line break"):
        substitute("Bearer {{ args.x }}", {"x": "a\r\nX-Admin: 1"}, header_value)


@pytest.mark.parametrize(
    ("template", "value", "query"),
    [
        ('up{pod="{{ args.x }}"}', 'a"} or up{b="', 'up{pod="a\\"} or up{b=\\""}'),
        ('up{pod="{{ args.x }}"}', "a\\", 'up{pod="a\\\\"}'),
        ("up{pod='{{ args.x }}'}", "it's", "up{pod='it\\'s'}"),
        ("{{ args.x }} > 1", 'up{a="b"}', 'up{a="b"} > 1'),
        ('up{a="\\"{{ args.x }}"}', '"', 'up{a="\\"\\""}'),
        ('# it\'s\nup{a="{{ args.x }}"}', '"', '# it\'s\nup{a="\\""}'),
        ("up{a=`{{ args.x }}`}", "\\'\"", "up{a=`\\'\"`}"),
        ("{{ args.x }}{{ args.x }}", '"', '"\\"'),
        ('up{a="#{{ args.x }}"}', '"', 'up{a="#\\""}'),
    ],
)
def test_query_values_stay_within_their_string(template: str, value: str, query: str) -> None:
    assert substitute(template, {"x": value}, query_value) == query


@pytest.mark.parametrize(
    ("template", "value", "reason"),
    [
        ("up{a=`{{ args.x }}`}", "a`b", "back-quote"),
        ("up # {{ args.x }}", "a\nor vector(1)", "line break"),
        ('up{a="\\{{ args.x }}"}', '"', "behind a backslash"),
    ],
)
def test_query_values_that_cannot_be_written(template: str, value: str, reason: str) -> None:
    with pytest.raises(ArgumentError, match=reason):
        substitute(template, {"x": value}, query_value)


@pytest.mark.parametrize(
    ("template", "values", "url"),
    [
        ("{{ args.a }}://{{ args.b }}/{{ args.b }}", {"a": "http", "b": "fd00::1"}, "http://[fd00::1]/fd00::1"),
        ("{{ args.a }}{{ args.b }}", {"a": "http://[", "b": "fd00::1"}, "http://[fd00::1"),
        ("http://[{{ args.e }}{{ args.b }}]", {"e": "", "b": "fd00::1"}, "http://[fd00::1]"),
        ("{{ args.a }}://{{ args.b }}", {"a": "x" * 70, "b": "a b"}, "x" * 70 + "://a%20b"),
        ("http://h{{ args.e }}?{{ args.b }}", {"e": "", "b": "::1"}, "http://h?::1"),
    ],
)
def test_urls_of_several_values(template: str, values: dict[str, str], url: str) -> None:
    assert substitute(template, values, url_value) == url


def test_the_message_of_a_tag_that_is_not_closed_does_not_show_the_text_which_may_be_a_password() -> None:
    with pytest.raises(ArgumentError) as caught:
        substitute("Bearer s3cr3t {{ args.x", {"x": ""}, header_value)
    assert str(caught.value) == 'Cannot find end tag="}}" for the {{ at character 15'


class Reading:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def read(self, text: str) -> None:
        self.pieces.append(text)

    def fit(self, value: str) -> str:
        return value.upper()


def test_each_character_is_read_once() -> None:
    place = Reading()
    text = substitute("q={{ args.x }}," * 400, {"x": "v" * 4096}, lambda: place)
    assert "".join(place.pieces) == text
    assert len(place.pieces) == 801


def lexed(text: str) -> list[tuple[str, str]]:
    """A query read character by character, as the lexer of PromQL does: what opens each piece, and its text.

    "" opens what is no string or comment. "!" is the last piece, where a string does not end in its line.
    """
    pieces, inside, begin, at = [], "", 0, 0

    def close(end: int, following: str) -> None:
        nonlocal inside, begin
        pieces.append((inside, text[begin:end]))
        inside, begin = following, end

    while at < len(text):
        char = text[at]
        if not inside:
            if char in "\"'`#":
                close(at, char)
        elif inside == "#":
            if char in "\r\n":
                close(at, "")
        elif char == inside:
            close(at + 1, "")
        elif inside != "`" and char == "\n":
            close(at, "!")
            break
        elif inside != "`" and char == "\\" and text[at + 1 : at + 2] != "\n":
            at += 1
        at += 1
    pieces.append((inside, text[begin:]))
    return pieces


def openings(text: str) -> list[str]:
    return [opened for opened, _ in lexed(text)]


QUERIES = st.text("ab\"'`\\# \n\r", max_size=6)
TAG = "{{args.x}}"


@given(QUERIES, QUERIES)
def test_no_value_ends_what_it_stands_in(before: str, value: str) -> None:
    try:
        query = substitute(before + TAG, {"x": value}, query_value)
    except ArgumentError:
        return
    assert openings(query) == openings(before) or not openings(before)[-1]


@given(st.lists(QUERIES, min_size=2, max_size=6), QUERIES)
def test_attack_f12_what_a_query_is_made_of_does_not_depend_on_values_in_strings_and_comments(
    pieces: list[str], value: str
) -> None:
    """Tags that stand outside of both are left out: their values are a part of the query itself."""
    template, plain = pieces[0], pieces[0]
    for piece in pieces[1:]:
        inside = openings(plain)[-1] not in ("", "!")
        template += (TAG if inside else "") + piece
        plain += ("x" if inside else "") + piece
    try:
        query = substitute(template, {"x": value}, query_value)
    except ArgumentError:
        return
    assert openings(query) == openings(plain)


@given(st.lists(QUERIES, max_size=5))
def test_a_query_read_in_pieces_is_a_query_read_at_once(pieces: list[str]) -> None:
    place = _Query()
    for piece in pieces:
        place.read(piece)
    expected = openings("".join(pieces))[-1]
    assert place._broken is (expected == "!")
    assert place._broken or place._open == expected


def test_attack_f12_a_quote_in_a_comment_does_not_switch_the_escaping_off() -> None:
    template = '# players aren\'t here\nsum(x{pod="{{args.a}}"})'
    query = substitute(template, {"a": 'y"} or vector(1) or x{a="'}, query_value)
    assert query == '# players aren\'t here\nsum(x{pod="y\\"} or vector(1) or x{a=\\""})'
    assert lexed(query)[-2] == ('"', '"y\\"} or vector(1) or x{a=\\""')


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("up # {{ args.x }}", "a\ror vector(1)"),
        ("it's\nup{a='{{ args.x }}'}", "a"),
        ('up{a="b\\\nc{{ args.x }}"}', "a"),
    ],
    ids=["a carriage return ends a comment", "an apostrophe ends at the line", "a backslash does not join lines"],
)
def test_attack_f12_where_strings_and_comments_end_is_what_the_lexer_says(template: str, value: str) -> None:
    with pytest.raises(ArgumentError, match=r"line break|does not end in its line"):
        substitute(template, {"x": value}, query_value)


@pytest.mark.parametrize(
    "text", ["Bearer s3cr3t {{ args.x", "{{ s3cr3t }}", "{{ args.x }}{{ s3cr3t {{ args.x }}", "{{args.x s3cr3t}}"]
)
def test_attack_f13_no_message_shows_what_stands_around_a_tag(text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        substitute(text, {"x": "s3cr3t"}, header_value)
    assert "s3cr3t" not in str(caught.value)
    assert "at character" in str(caught.value)
