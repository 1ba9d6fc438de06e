"""Logs: one line a record, as JSON and as text."""

import json
import logging

import pytest

from operators import logs


@pytest.fixture(autouse=True)
def restored():
    """Give pytest its handlers back."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before, level
    logging.captureWarnings(capture=False)
    for name in ("kopf", "aiohttp", "asyncio", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.NOTSET)


class Output:
    def __init__(self, capsys):
        self._capsys = capsys

    def getvalue(self):
        return self._capsys.readouterr().err


@pytest.fixture
def output(capsys):
    return Output(capsys)


def fail(text="a defect"):
    try:
        raise ValueError(text)
    except ValueError:
        logging.getLogger("game").exception("pass of %s failed", "ns/a")


def test_json_lines_hold_time_level_logger_and_message(output):
    logs.configure("json", "INFO")
    logging.getLogger("game").info("pods: %d", 3)
    line = json.loads(output.getvalue())
    assert (line["level"], line["logger"], line["msg"]) == ("info", "game", "pods: 3")
    assert line["ts"].endswith("+00:00")
    assert set(line) == {"ts", "level", "logger", "msg"}


@pytest.mark.parametrize("style", logs.FORMATS)
def test_a_traceback_is_part_of_its_record_and_of_its_line(output, style):
    logs.configure(style, "INFO")
    fail("two\nlines")
    (line,) = output.getvalue().splitlines()
    assert "Traceback" in line
    assert "ValueError: two" in line
    assert "test_logs.py" in line
    if style == "json":
        assert json.loads(line)["msg"] == "pass of ns/a failed"
        assert "ValueError: two\nlines" in json.loads(line)["exc"]


@pytest.mark.parametrize("style", logs.FORMATS)
def test_a_message_of_several_lines_is_one_line(output, style):
    logs.configure(style, "INFO")
    logging.getLogger("game").warning("first\nsecond %s", "x\r\ny")
    assert len(output.getvalue().splitlines()) == 1


@pytest.mark.parametrize("style", logs.FORMATS)
def test_odd_text_is_no_obstacle(output, style):
    logs.configure(style, "INFO")
    logging.getLogger("game").warning("half a character: \ud800")
    assert "half a character" in output.getvalue()


def test_kopfs_objects_are_named(output):
    logs.configure("json", "INFO")
    about = {"kind": "GameDeployment", "namespace": "ns", "name": "a", "uid": "u"}
    logging.getLogger("kopf.objects").warning("odd", extra={"k8s_ref": about})
    assert json.loads(output.getvalue())["object"] == "GameDeployment/ns/a"


@pytest.mark.parametrize(("level", "ours", "kopfs"), [("DEBUG", 3, 1), ("INFO", 2, 1), ("ERROR", 0, 0)])
def test_levels_hold_for_us_and_kopf_speaks_from_warning_on(output, level, ours, kopfs):
    logs.configure("text", level)
    for name in ("game", "kopf.reactor"):
        logger = logging.getLogger(name)
        logger.debug("d")
        logger.info("i")
        logger.warning("w")
    lines = output.getvalue().splitlines()
    assert sum(" game: " in line for line in lines) == ours
    assert sum(" kopf.reactor: " in line for line in lines) == kopfs


def test_warnings_of_python_are_records_too(output):
    import warnings

    logs.configure("json", "INFO")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", UserWarning, stacklevel=1)
    assert "UserWarning: old" in json.loads(output.getvalue())["msg"]


def test_fields_are_keys_of_a_json_line(output):
    logs.configure("json", "INFO")
    logs.get_logger("game").info("pod deleted, 50% done", namespace="arena", name="gd", pod="gd-x", reason="Scale")
    line = json.loads(output.getvalue())
    assert line["msg"] == "pod deleted, 50% done"
    assert {k: line[k] for k in ("namespace", "name", "pod", "reason")} == {
        "namespace": "arena",
        "name": "gd",
        "pod": "gd-x",
        "reason": "Scale",
    }


def test_fields_follow_the_message_of_a_text_line(output):
    logs.configure("text", "INFO")
    logs.get_logger("game").warning("write refused", namespace="arena", error='exceeded "quota"')
    assert output.getvalue().rstrip().endswith("game: write refused namespace=arena error='exceeded \"quota\"'")


@pytest.mark.parametrize("field", ["ts", "level", "logger", "msg"])
def test_a_field_never_hides_a_key_of_the_line(output, field):
    logs.configure("json", "INFO")
    logs.get_logger("game").info("as it was", **{field: "other"})
    line = json.loads(output.getvalue())
    assert (line["msg"], line["level"], line[f"{field}_"]) == ("as it was", "info", "other")


def test_a_defect_is_logged_with_its_fields_and_its_traceback(output):
    logs.configure("json", "INFO")
    try:
        raise ValueError("a defect")
    except ValueError:
        logs.get_logger("game").exception("pass failed", namespace="arena")
    line = json.loads(output.getvalue())
    assert (line["namespace"], line["level"]) == ("arena", "error")
    assert "ValueError: a defect" in line["exc"]


def test_what_is_below_the_level_costs_no_line(output):
    logs.configure("json", "WARNING")
    logs.get_logger("game").info("unheard", namespace="arena")
    assert output.getvalue() == ""
