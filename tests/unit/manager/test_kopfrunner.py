"""What kopf does to each event besides handing it on: nothing that grows with the object."""

from __future__ import annotations

import kopf

from operators.manager.kopfrunner import _configure


class Uncopied(dict):
    """A part of an object that nobody may copy or look into."""

    def __deepcopy__(self, memo):
        raise AssertionError("copied")

    def __iter__(self):
        raise AssertionError("looked into")

    items = keys = values = __iter__


def test_attack_f3_objects_are_not_copied_at_their_events():
    """Kopf asks these storages at every event, whatever its handlers are for."""
    settings = kopf.OperatorSettings()
    _configure(settings, everywhere=True)
    body = kopf.Body({"metadata": {"name": "lobby"}, "spec": Uncopied(template=1), "status": Uncopied(replicas=1)})
    differences, progress = settings.persistence.diffbase_storage, settings.persistence.progress_storage
    assert differences.fetch(body=body) is None
    essence = differences.build(body=body, extra_fields=[])
    assert progress.clear(essence=essence) == {}
    patch = kopf.Patch()
    differences.store(body=body, patch=patch, essence=essence)
    progress.touch(body=body, patch=patch, value=None)
    progress.purge(body=body, patch=patch, key="a")
    assert not patch, "nothing is written on the objects of users"
