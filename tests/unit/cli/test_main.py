"""The command line itself: exit codes and what is said."""

import pytest

from operators.cli.main import main
from release.sources import version
from webhooks.main import main as webhooks


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--no-such-flag"], "unrecognized arguments: --no-such-flag"),
        (["run", "painter"], "unknown controller 'painter'"),
        (["run", "--metric-port=x"], "--metric-port"),
        (["fly"], "invalid choice"),
    ],
)
def test_pkg_23_wrong_usage_is_exit_code_2_with_usage(capsys, arguments, said):
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    text = capsys.readouterr().err
    assert "usage: game-operators" in text
    assert said in text


def test_no_credentials_is_exit_code_1_without_a_traceback(tmp_path, capsys):
    missing = tmp_path / "no-such-kubeconfig"
    assert main(["run", f"--kubeconfig={missing}", "--log-format=text"]) == 1
    text = capsys.readouterr().err
    assert f"no credentials from {missing}" in text.splitlines()[-1]
    assert "Traceback" not in text


def test_crds_are_written_where_asked(tmp_path):
    assert main(["crds", str(tmp_path)]) == 0
    assert len(list(tmp_path.glob("*.yaml"))) == 4


@pytest.mark.parametrize(("program", "command"), [("game-operators", main), ("game-webhooks", webhooks)])
def test_each_program_says_its_version_and_its_help_without_a_command(program, command, capsys, monkeypatch):
    monkeypatch.setenv("GAME_OPERATORS_GIT_COMMIT", "0123456789abcdef")
    with pytest.raises(SystemExit, match="0"):
        command(["--version"])
    assert capsys.readouterr().out == f"{program} {version()} (0123456789ab)\n"
    assert command([]) == 0
    assert capsys.readouterr().out.startswith(f"usage: {program}")
