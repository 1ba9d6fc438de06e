"""The session of docs/quickstart.md, typed as it stands there: the README's sample runs, and can be deleted again."""

from tests.e2e import screens


def test_ux_99_the_sample_of_the_readme_runs_and_goes_again_as_the_page_shows(cluster, operators):
    try:
        told = screens.play(cluster.kubeconfig)
    finally:
        cluster.kubectl("delete", "namespace", screens.NAMESPACE, "--ignore-not-found", "--timeout=120s")
    assert screens.normal(told) == screens.normal(screens.session())
