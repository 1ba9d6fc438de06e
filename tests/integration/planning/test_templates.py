"""The real API server tells templates apart exactly where we do, for every field of the pod that it knows."""

from __future__ import annotations

import asyncio
import itertools
import json

import httpx
import pytest

from operators.kube.credentials import PlainCredentials
from operators.planning.templates import produces, template_digest
from tests.integration.planning.wholepods import MINIMAL, Schema, kind, small
from tests.properties.podtemplates import ABSENT, kind_of, put, types

_LABELS = {"app": "game"}
_ZEROS = {
    "string": "",
    "boolean": False,
    "integer": 0,
    "intOrString": 0,
    "quantity": "0",
    "map": {},
    "amounts": {},
    "strings": [],
    "integers": [],
}

#: Fields whose zero value is refused: by the decoder, which wants a time, by the validation of the claim templates of
#: ephemeral volumes, and by the admission of runtime classes.
_NULL_ONLY = {("ObjectMeta", "creationTimestamp"), ("ObjectMeta", "finalizers"), ("PodSpec", "overhead")}


class Server:
    """The cluster's API server, asked what it would make of things; nothing is stored."""

    def __init__(self, cluster, namespace) -> None:
        self._found, self._namespace = PlainCredentials.load(str(cluster.kubeconfig)), namespace

    async def _client(self):
        found = self._found
        return httpx.AsyncClient(
            base_url=found.server, verify=found.tls, headers=dict(await found.headers()), timeout=60
        )

    def schema(self):
        async def read():
            async with await self._client() as client:
                return Schema((await client.get("/openapi/v3/api/v1")).json())

        return asyncio.run(read())

    def pods(self, specs):
        """The pod of each spec, as a template; None where it is refused."""
        bodies = [{"metadata": {"generateName": "game-", "labels": _LABELS}, "spec": spec} for spec in specs]
        return [self._template(made) for made in asyncio.run(self._created("api/v1", "pods", bodies))]

    def deployments(self, specs):
        """The template of a Deployment with each spec; None where it is refused."""
        bodies = [
            {
                "metadata": {"generateName": "game-"},
                "spec": {
                    "selector": {"matchLabels": _LABELS},
                    "template": {"metadata": {"labels": _LABELS}, "spec": s},
                },
            }
            for s in specs
        ]
        made = asyncio.run(self._created("apis/apps/v1", "deployments", bodies))
        return [None if m is None else m["spec"]["template"] for m in made]

    @staticmethod
    def _template(made):
        return None if made is None else {"metadata": {"labels": made["metadata"]["labels"]}, "spec": made["spec"]}

    async def _created(self, group, resource, bodies):
        path = f"/{group}/namespaces/{self._namespace}/{resource}?dryRun=All"
        places = asyncio.Semaphore(6)
        async with await self._client() as client:

            async def one(body):
                async with places:
                    answer = await client.post(path, json=body)
                    assert answer.status_code in (201, 400, 403, 422), answer.text
                    return answer.json() if answer.status_code == 201 else None

            return await asyncio.gather(*map(one, bodies))


@pytest.fixture
def server(cluster, namespace):
    return Server(cluster, namespace)


def template(spec):
    return {"metadata": {"labels": _LABELS}, "spec": spec}


def key(made):
    return json.dumps(made, sort_keys=True)


def told_apart(specs, made):
    """Pairs of specs that we and the API server judge differently, of those that it takes."""
    taken = [(template_digest(template(s)), key(m), s) for s, m in zip(specs, made, strict=True) if m is not None]
    pairs = itertools.combinations(taken, 2)
    return [(one[2], other[2]) for one, other in pairs if (one[0] == other[0]) != (one[1] == other[1])]


def test_the_fields_are_those_of_the_api_servers_own_schema(server):
    for name, fields in server.schema().types():
        known = {key: kind_of(found) for key, found in types()[name].items()}
        if name != "ObjectMeta":
            assert known == {key: kind(schema) for key, schema in fields.items()}, name
        for field, schema in fields.items():
            found = types()[name][field]
            default = found[1] if isinstance(found, list) else None
            assert schema.get("default") in (None, "", 0, {}, default), (name, field)


def test_small_templates_are_told_apart_where_their_pods_differ(server):
    specs = small()
    made = server.pods(specs)
    assert sum(m is not None for m in made) > len(specs) - 5
    assert told_apart(specs, made) == []


def unsaid(value, type_):
    """The same object with everything written out that says nothing: nulls, zero values and defaults."""
    written = dict(value)
    for field, found in types()[type_].items():
        inner = kind_of(found).removeprefix("[]")
        if field in value:
            entry = value[field]
            if inner in types() and isinstance(entry, list):
                written[field] = [unsaid(e, inner) for e in entry]
            elif inner in types():
                written[field] = unsaid(entry, inner)
        elif isinstance(found, list) and found[1] != {}:
            written[field] = found[1]
        elif kind_of(found) in _ZEROS and not str(found).startswith("*") and (type_, field) not in _NULL_ONLY:
            written[field] = _ZEROS[kind_of(found)]
        else:
            written[field] = None
    return written


def test_what_says_nothing_may_be_written_out_everywhere(server):
    whole = server.schema().whole()
    del whole["activeDeadlineSeconds"]  # which a Deployment refuses
    for spec in (whole, {**MINIMAL}):
        full = unsaid(spec, "PodSpec")
        plain, same, stored = *server.pods([spec, full]), server.deployments([spec, full])
        assert plain is not None
        assert plain == same
        assert len({template_digest(t) for t in (template(spec), template(full), *stored)}) == 1
        assert produces(template(full), _LABELS, {}, plain["spec"])


def variants(value, type_, path=(), seen=None):
    """For each field of each type, once, the places of the whole spec with what to put there."""
    seen = set() if seen is None else seen
    for field, entry in value.items():
        found = types()[type_][field]
        inner = kind_of(found).removeprefix("[]")
        here = (*path, field)
        if (type_, field) not in seen:
            seen.add((type_, field))
            zero = [_ZEROS.get(inner, {})] if inner == kind_of(found) else [[]]
            default = found[1:] if isinstance(found, list) else []
            yield here, [ABSENT, *zero, *(d for d in default if d not in zero)]
        if inner in types():
            entries = enumerate(entry) if isinstance(entry, list) else [(None, entry)]
            for number, below in entries:
                yield from variants(below, inner, here if number is None else (*here, number), seen)


def test_each_field_of_a_whole_template_says_what_it_says_to_the_api_server(server):
    whole = server.schema().whole()
    specs, groups = [whole], []
    for path, tried in variants(whole, "PodSpec"):
        groups.append((path, range(len(specs), len(specs) + len(tried))))
        specs += [put(whole, path, value) for value in tried]
    made = server.pods(specs)
    assert made[0] is not None
    assert sum(m is not None for m in made) > 500
    wrong = []
    for path, numbers in groups:
        chosen = [0, *numbers]
        if told_apart([specs[n] for n in chosen], [made[n] for n in chosen]):
            wrong.append(".".join(map(str, path)))
    assert wrong == []
    assert all(produces(template(s), _LABELS, {}, m["spec"]) for s, m in zip(specs, made, strict=True) if m)
