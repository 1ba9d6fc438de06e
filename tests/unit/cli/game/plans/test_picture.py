"""ux-52: the picture is well formed, stands alone, can be read in both schemes, and says what the JSON says."""

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from operators.cli.game.plans.assume import Wishes
from operators.cli.game.plans.picture import (
    COLOURS,
    MOST_PLACES,
    MOST_PODS,
    STATES,
    WIDTH,
    layout,
    picture,
    state_of,
    style,
    ticks,
)
from tests.unit.cli.game.documentation import PICTURE, drawn
from tests.unit.cli.game.plans.planworlds import PLANS, STEPS, plan_of
from tests.unit.cli.game.worlds import fleet

SVG = "{http://www.w3.org/2000/svg}"


def large(pods=120, unavailable=10):
    made = fleet(pods, grace=30, unavailable=unavailable, hooks=("preInplace",), canary={"steps": STEPS})
    return plan_of(made.release(2), Wishes(restart="11s", hooks="after:9s"))


def parsed(plan):
    return ET.fromstring(picture(plan))


EVERY = {**{name: make for name, (make, _) in PLANS.items()}, "large": large}


@pytest.mark.parametrize("name", EVERY)
def test_ux_52_it_is_well_formed_and_has_no_external_reference(name):
    text = picture(EVERY[name]())
    root = ET.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert not [e for e in root.iter() if e.tag.removeprefix(SVG) in ("script", "image", "use", "foreignObject", "a")]
    assert re.findall(r"(?:href|src)\s*=|@import|data:", text) == []
    assert re.findall(r"https?://[^\s\"<]+", text) == ["http://www.w3.org/2000/svg"]
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= {f"#p{name}" for name, _ in STATES.values()}


@pytest.mark.parametrize("name", EVERY)
def test_ux_52_screen_readers_are_told_what_it_shows(name):
    root = parsed(EVERY[name]())
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"].split() == [title.attrib["id"], description.attrib["id"]]
    assert title.text.startswith(f"{EVERY[name]().workload.name}: ")
    assert "Steps: " in description.text


@pytest.mark.parametrize("name", EVERY)
def test_ux_52_its_boxes_equal_the_json(name):
    plan = EVERY[name]()
    root = parsed(plan)
    boxes = [e.attrib for e in root.iter(f"{SVG}rect") if e.attrib.get("class") in {c for c, _ in STATES.values()}]
    body = plan.dump()
    if len(body["lanes"]) <= MOST_PODS:
        spans = [s for lane in body["lanes"] for s in lane["spans"]]
    else:
        spans = [s for lane in body["lanes"] for s in lane["spans"] if s["does"] != "ready"]
    assert len(boxes) == len(spans)
    if not spans:
        return
    left = min(float(b["x"]) for b in boxes)
    scale = (WIDTH - 24 - left) / body["lanesEnd"]

    def shape(begin, end, letter):
        return round((begin - left) / scale, 0), round((end - left) / scale, 0), letter

    drawn_ = sorted(shape(float(b["x"]), float(b["x"]) + float(b["width"]), b["class"]) for b in boxes)
    told = sorted(
        (round(s.begin, 0), round(s.end, 0), STATES[state_of(s)][0])
        for lane in plan.lanes
        for s in lane.spans
        if len(plan.lanes) <= MOST_PODS or s.does != "ready"
    )
    assert drawn_ == told


def test_pods_have_lanes_and_many_have_places_of_the_budget():
    few, many = layout(PLANS["canary"][0]()), layout(large())
    assert (few.by_pod, len(few.labels)) == (True, 8)
    assert (many.by_pod, len(many.labels), many.left_out) == (False, 10, 0)
    by_lane = {}
    for box in many.boxes:
        by_lane.setdefault(box.lane, []).append(box.span)
    for spans in by_lane.values():
        for one, following in pairwise(spans):
            assert one.end <= following.begin


def test_more_pods_at_once_than_places_are_counted():
    plan = plan_of(fleet(2, type_="RollingUpdate", unavailable=1).scale(400), Wishes(start="5s"))
    found = layout(plan)
    assert (len(found.labels), found.left_out) == (MOST_PLACES, 398 - MOST_PLACES)
    assert f"and {398 - MOST_PLACES} pods more" in picture(plan)


def contrast(one, other):
    """Contrast of two colours, as WCAG 2 counts it."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_ux_52_it_passes_contrast(scheme):
    background = COLOURS["bg"][scheme]
    assert contrast(COLOURS["fg"][scheme], background) >= 7
    assert {name for name, pair in COLOURS.items() if name != "bg" and contrast(pair[scheme], background) < 3} == set()
    # Names of pods stand on boxes in the colour of the background.
    busy = [COLOURS[state][scheme] for state in STATES if state not in ("old", "new")]
    assert min(contrast(colour, background) for colour in busy) >= 3


def test_both_schemes_are_in_the_style():
    light, _, dark = style().partition("@media (prefers-color-scheme:dark)")
    for scheme, text in enumerate((light, dark)):
        assert {pair[scheme] for pair in COLOURS.values()} <= set(re.findall(r"#[0-9a-f]{6}", text))
    assert "var(" not in style()


def test_names_cannot_break_out():
    plan = PLANS["canary"][0]()
    lane = plan.lanes[0].model_copy(update={"pod": 'arena-<script>"&\x07'})
    text = picture(plan.model_copy(update={"lanes": (lane, *plan.lanes[1:])}))
    assert "<script" not in text
    assert "\x07" not in text
    ET.fromstring(text)


@pytest.mark.parametrize("end", [0.5, 1, 59, 61, 3600, 86_400, 10_000_000])
def test_there_are_never_many_ticks(end):
    found = ticks(end)
    assert 1 <= len(found) <= 12
    assert found[-1] <= end


def test_the_picture_of_the_page_is_drawn_from_its_plan():
    assert PICTURE.read_text() == drawn(), "python -m tests.unit.cli.game.documentation draws it anew"
