"""Ten templates as charts write them, with empties and in spellings of their own, against what Go operators stored."""

import pytest
import yaml

from devcluster import podtypes
from operators.planning.inplace.changes import ineligible_path
from operators.planning.revisions import History, RecordedRevisions, resolve
from operators.planning.templates import produces, template_digest
from operators.planning.views import revision_view
from tests.unit.gamedeployment.fleets import Fleet
from tests.unit.gamedeployment.test_migration import SECOND, living
from tests.unit.gamedeployment.test_migration import stored as stored_revision

_CHARTS = """
- # the chart that `helm create` makes
  metadata: {annotations: {}, labels: {app.kubernetes.io/name: game}}
  spec:
    imagePullSecrets: []
    serviceAccountName: default
    securityContext: {}
    containers:
    - {name: game, securityContext: {}, image: "game:1", imagePullPolicy: IfNotPresent, resources: {},
       ports: [{name: http, containerPort: 80, protocol: TCP}],
       livenessProbe: {httpGet: {path: /, port: http}}, readinessProbe: {httpGet: {path: /, port: http}}}
    nodeSelector: {}
    affinity: {}
    tolerations: []
- # memory limit told to the program
  metadata: {labels: {app: game}}
  spec:
    containers:
    - name: game
      image: game:1
      env: [{name: GOMEMLIMIT, valueFrom: {resourceFieldRef: {resource: limits.memory}}}]
      resources: {limits: {memory: 2048Mi, cpu: 0.5}, requests: {cpu: "0.25"}}
- # null for everything that values leave open
  metadata: {labels: {app: game}, annotations: null}
  spec:
    hostAliases: null
    initContainers: null
    volumes: null
    topologySpreadConstraints: null
    priorityClassName: ""
    runtimeClassName: null
    containers:
    - {name: game, image: "game:1", command: null, args: [], env: [], envFrom: null, volumeMounts: [], lifecycle: null,
       startupProbe: null, workingDir: ""}
- # files of all kinds
  metadata: {labels: {app: game}}
  spec:
    volumes:
    - {name: config, configMap: {name: game, items: []}}
    - {name: secret, secret: {secretName: game, defaultMode: 420, optional: false}}
    - {name: scratch, emptyDir: {}}
    - {name: memory, emptyDir: {medium: "", sizeLimit: 1024Mi}}
    - {name: claim, persistentVolumeClaim: {claimName: game, readOnly: false}}
    - {name: host, hostPath: {path: /var, type: ""}}
    containers:
    - name: game
      image: game:1
      volumeMounts: [{name: config, mountPath: /etc/game, readOnly: false, subPath: ""}]
- # a projected token and the downward API
  metadata: {labels: {app: game}}
  spec:
    automountServiceAccountToken: false
    volumes:
    - name: all
      projected:
        sources:
        - serviceAccountToken: {path: token, audience: ""}
        - downwardAPI: {items: [{path: cpu, resourceFieldRef: {containerName: game, resource: limits.cpu, divisor: 0}}]}
        - configMap: {name: game, items: null}
    containers: [{name: game, image: "game:1"}]
- # probes of every kind with zeros
  metadata: {labels: {app: game}}
  spec:
    containers:
    - name: game
      image: game:1
      livenessProbe: {tcpSocket: {port: 7777, host: ""}, initialDelaySeconds: 0, periodSeconds: 0}
      readinessProbe: {grpc: {port: 9000, service: ""}, timeoutSeconds: 1}
      startupProbe: {exec: {command: [check]}, failureThreshold: 3, successThreshold: 0}
      lifecycle: {preStop: {httpGet: {port: 80, httpHeaders: []}}}
- # spread over nodes
  metadata: {labels: {app: game}}
  spec:
    affinity:
      nodeAffinity: {}
      podAntiAffinity:
        preferredDuringSchedulingIgnoredDuringExecution:
        - {weight: 100, podAffinityTerm: {topologyKey: node, labelSelector: {matchLabels: {}}, namespaces: []}}
        requiredDuringSchedulingIgnoredDuringExecution: []
    topologySpreadConstraints:
    - {maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {}, matchLabelKeys: []}
    tolerations: [{key: game, operator: Exists, value: "", effect: ""}]
    containers: [{name: game, image: "game:1"}]
- # on the network of the node
  metadata: {labels: {app: game}}
  spec:
    hostNetwork: true
    hostPID: false
    dnsPolicy: ClusterFirst
    terminationGracePeriodSeconds: 30
    containers: [{name: game, image: "registry:5000/game", ports: [{containerPort: 7777, protocol: UDP, hostIP: ""}]}]
- # a claim of the pod's own
  metadata: {labels: {app: game}}
  spec:
    volumes:
    - name: data
      ephemeral:
        volumeClaimTemplate:
          metadata: {labels: {}, annotations: null}
          spec: {accessModes: [ReadWriteOnce], storageClassName: "", resources: {requests: {storage: 1Gi}, limits: {}}}
    containers: [{name: game, image: "game:1", volumeMounts: [{name: data, mountPath: /data}]}]
- # sidecars and security
  metadata: {labels: {app: game}, annotations: {checksum/config: abc}}
  spec:
    securityContext: {runAsNonRoot: true, supplementalGroups: [], sysctls: null, fsGroup: 1000}
    initContainers:
    - {name: proxy, image: "proxy:1", restartPolicy: Always, resources: {limits: {cpu: 100m}, requests: {cpu: "0.1"}}}
    containers:
    - {name: game, image: "game:1", tty: false, stdin: false,
       securityContext: {capabilities: {add: [], drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}}
"""
CHARTS = yaml.safe_load(_CHARTS)


@pytest.fixture(scope="module")
def stored():
    """Each template as a typed client wrote it into a revision."""
    return podtypes.typed(CHARTS)


@pytest.fixture(scope="module")
def made():
    """The pod of each template."""
    return podtypes.pods(CHARTS)


def revision(template):
    metadata = {"namespace": "ns", "name": "game-1", "uid": "1", "resourceVersion": "1"}
    data = {"spec": {"template": {**template, "$patch": "replace"}}}
    return revision_view({"metadata": metadata, "revision": 1, "data": data})


@pytest.mark.parametrize("number", range(len(CHARTS)))
def test_public_f1_a_chart_that_moves_from_the_go_operators_gets_no_new_revision(stored, number):
    template = CHARTS[number]
    history = History((revision(stored[number]),))
    found = resolve("game", template, template_digest(template), {}, history, [], RecordedRevisions(current="game-1"))
    assert (found.update, found.actions) == ("game-1", ())
    assert ineligible_path(stored[number], template) is None


@pytest.mark.parametrize("number", range(len(CHARTS)))
def test_public_f1_the_pods_of_a_chart_are_known_as_its_pods(made, number):
    pod = made[number]
    assert template_digest(pod) == template_digest(CHARTS[number])
    labels, annotations = pod["metadata"]["labels"], pod["metadata"].get("annotations", {})
    assert produces(CHARTS[number], labels, annotations, {**pod["spec"], "nodeName": "node"})
    others = [c for n, c in enumerate(CHARTS) if n != number]
    assert all(template_digest(pod) != template_digest(other) for other in others)


@pytest.mark.parametrize("type_", ["RollingUpdate", "InplaceUpdate"])
@pytest.mark.parametrize("number", range(len(CHARTS)))
def test_public_f1_taking_over_a_chart_from_the_go_operators_restarts_nothing(stored, made, number, type_):
    labels = {"app": "game"}
    fleet = Fleet(1, strategy={"type": type_}, template={**CHARTS[number], "metadata": {"labels": labels}})
    template = {"metadata": {"creationTimestamp": None, "labels": labels}, "spec": stored[number]["spec"]}
    fleet.cluster.revisions = {SECOND: {**stored_revision(SECOND, 2, 2), "data": {"spec": {"template": template}}}}
    pod = living("bbbbb", SECOND, 2)
    pod["spec"] |= made[number]["spec"]
    pod["status"]["containerStatuses"][0]["name"] = "game"
    fleet.cluster.add_pod(pod)
    for _ in range(5):
        fleet.one_pass()
    assert fleet.cluster.log == []
    assert fleet.update == SECOND
    assert fleet.condition("Complete")["status"] == "True"
