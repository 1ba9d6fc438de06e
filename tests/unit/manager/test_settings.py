"""Flags and environment of ``game-operators run``."""

import argparse

import pytest

from operators.flags import InvalidSettings
from operators.manager.settings import CONTROLLERS, FLAGS, add_arguments, from_arguments


def parsed(*arguments, **environment):
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_arguments(parser)
    return from_arguments(parser.parse_args(arguments), environment)


def test_defaults_are_those_of_the_specification():
    settings = parsed()
    assert settings.controllers == CONTROLLERS
    assert (settings.metrics_port, settings.liveness_port, settings.address) == (10251, 10252, "0.0.0.0")
    assert (settings.lease_duration, settings.renew_deadline, settings.retry_period) == (15.0, 10.0, 2.0)
    assert settings.leader_elect is True
    assert settings.namespace is None
    assert settings.hook_allow_cidr == ()
    assert settings.hook_deny_service == (("default", "kubernetes"),)
    assert settings.hook_allow_node_ports == ()
    assert "_" in settings.identity, "host and process"


def test_a_flag_wins_over_the_environment_and_that_over_the_default():
    assert parsed(GAME_OPERATORS_METRIC_PORT="7").metrics_port == 7
    assert parsed("--metric-port", "8", GAME_OPERATORS_METRIC_PORT="7").metrics_port == 8


@pytest.mark.parametrize("flag", FLAGS.flags, ids=lambda flag: flag.field)
def test_every_flag_has_a_variable_and_both_mean_the_same(flag):
    values = {
        "leader_elect": "false",
        "protect_namespaces": "true",
        "address": "127.0.0.1",
        "log_format": "text",
        "log_level": "DEBUG",
        "hook_allow_cidr": "10.0.0.0/8,fd00::/8",
        "hook_deny_cidr": "10.0.0.0/8,fd00::/8",
        "hook_deny_service": "games/secret,default/kubernetes",
        "retry_period": "1.5",
        "lease_duration": "30",
        "renew_deadline": "12",
    }
    value = values.get(flag.field, "7")
    by_flag = getattr(parsed(f"--{flag.names[0]}={value}"), flag.field)
    assert by_flag != getattr(parsed(), flag.field)
    assert getattr(parsed(**{FLAGS.variable(flag): value}), flag.field) == by_flag
    for alias in flag.names[1:]:
        assert getattr(parsed(f"--{alias}={value}"), flag.field) == by_flag


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--metric-port", "high"], "--metric-port: 'high'"),
        (["--metric-port", "70000"], "must be from 0 to 65535"),
        (["--concurrent-syncs", "0"], "must be from 1 to 1000"),
        (["--resync-period", "0"], "must be a positive number of seconds"),
        (["--resync-period", "soon"], "--resync-period: 'soon'"),
        (["--resync-period", "nan"], "must be a positive number of seconds"),
        (["--leader-elect", "maybe"], "must be true or false"),
        (["--leader-elect-name", ""], "must not be empty"),
        (["--log-level", "LOUD"], "must be one of DEBUG, INFO, WARNING, ERROR"),
        (["--log-format", "xml"], "must be one of json, text"),
        (["--hook-allow-cidr", "10.0.0.0/99"], "--hook-allow-cidr"),
        (["--hook-deny-service", "kubernetes"], "must be namespace/name"),
        (["--hook-allow-node-ports", "8000-7000"], "'8000-7000' ends before it begins"),
        (["--hook-allow-node-ports", "7000-"], "--hook-allow-node-ports"),
        (["--hook-allow-node-ports", "7000-70000"], "must be from 0 to 65535"),
        (["--leader-elect-renew-deadline", "15"], "must be less than"),
        (["--leader-elect-retry-period", "10"], "must be less than"),
        (["gamedeployments"], "unknown controller 'gamedeployments': known are gamedeployment, gamestatefulset, hook"),
    ],
)
def test_what_cannot_be_is_refused_by_name(arguments, said):
    with pytest.raises(InvalidSettings, match=said):
        parsed(*arguments)


def test_a_wrong_variable_is_refused_by_its_name():
    with pytest.raises(InvalidSettings, match="environment variable GAME_OPERATORS_METRIC_PORT: 'x'"):
        parsed(GAME_OPERATORS_METRIC_PORT="x")
    with pytest.raises(InvalidSettings, match="unknown controller 'x'"):
        parsed(GAME_OPERATORS_CONTROLLERS="hook,x")


def test_controllers_are_named_by_argument_or_variable():
    assert parsed("hook").controllers == ("hook",)
    assert parsed("hook", "gamedeployment").controllers == ("gamedeployment", "hook")
    assert parsed("hook", "hook").controllers == ("hook",)
    assert parsed(GAME_OPERATORS_CONTROLLERS="hook").controllers == ("hook",)
    assert parsed("gamedeployment", GAME_OPERATORS_CONTROLLERS="hook").controllers == ("gamedeployment",)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90.0), ("1.5", 1.5), ("900s", 900.0), ("15m", 900.0), ("1h", 3600.0)]
)
def test_durations_are_seconds_or_as_go_writes_them(text, seconds):
    assert parsed("--resync-period", text).resync_period == seconds


def test_the_identity_is_the_pods_name_where_there_is_one():
    assert parsed(POD_NAME="operators-0").identity == "operators-0"


def test_an_abbreviated_flag_is_unknown():
    with pytest.raises(SystemExit) as ended:
        parsed("--metric", "1")
    assert ended.value.code == 2


def test_ports_of_nodes_are_ranges_or_single_ports():
    assert parsed("--hook-allow-node-ports", "7000-7002, 9000").hook_allow_node_ports == (
        range(7000, 7003),
        range(9000, 9001),
    )
