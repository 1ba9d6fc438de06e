{{/*
What the API server asks the webhooks, and what it judges itself. `game-webhooks manifests` prints the same for the same
settings, and a test compares the two.
*/}}
{{- define "game-operators.webhooks.name" -}}
{{- printf "%s-webhooks" (include "game-operators.fullname" .) }}
{{- end }}

{{- define "game-operators.webhooks.serviceAccount" -}}
{{- default (include "game-operators.webhooks.name" .) .Values.webhooks.serviceAccount.name }}
{{- end }}

{{/* Named after its source: Helm owns the one, cert-manager makes the other, and an upgrade may go from either to either. */}}
{{- define "game-operators.webhooks.secret" -}}
{{- $suffix := eq .Values.webhooks.certificates.source "certManager" | ternary "tls" "certificate" }}
{{- printf "%s-%s" (include "game-operators.webhooks.name" .) $suffix }}
{{- end }}

{{/* Name of everything that stands outside of namespaces: releases in several namespaces must not share it. */}}
{{- define "game-operators.admission.name" -}}
{{- printf "%s-%s" .Release.Namespace (include "game-operators.fullname" .) }}
{{- end }}

{{/*
Admission policies need Kubernetes 1.30, and an API server on which nobody has switched them off. Kinds are known only
where an API server was asked: `helm template` by itself goes by the version.
*/}}
{{- define "game-operators.policies.enabled" -}}
{{- $served := .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy" }}
{{- $asked := .Capabilities.APIVersions.Has "v1/Pod" }}
{{- if and .Values.policies.enabled (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version) (or $served (not $asked)) }}true{{ end }}
{{- end }}

{{/* Whether namespaces with protected workloads are labelled by the operators, and kept by a policy. */}}
{{- define "game-operators.protectsNamespaces" -}}
{{- if and .Values.policies.protectNamespaces (include "game-operators.policies.enabled" .) }}true{{ end }}
{{- end }}

{{- define "game-operators.admission.selector" -}}
{{- $of := .Values.admission }}
{{- $selector := deepCopy $of.namespaceSelector }}
{{- $expressions := $selector.matchExpressions | default list }}
{{- with .Values.watchNamespace }}
{{- $expressions = append $expressions (dict "key" "kubernetes.io/metadata.name" "operator" "In" "values" (list .)) }}
{{- end }}
{{- if $of.excludedNamespaces }}
{{- $expressions = append $expressions (dict "key" "kubernetes.io/metadata.name" "operator" "NotIn" "values" $of.excludedNamespaces) }}
{{- end }}
{{- if $expressions }}
{{- $_ := set $selector "matchExpressions" $expressions }}
{{- end }}
{{- toYaml $selector }}
{{- end }}

{{/* Kinds whose HookRuns the operators of this release make; another release may make those of other kinds. */}}
{{- define "game-operators.hookruns.kinds" -}}
{{- $kinds := list }}
{{- if .Values.policies.onlyOperatorsMakeHookRuns }}
{{- if .Values.controllers.gamedeployment.enabled }}
{{- $kinds = append $kinds "GameDeployment" }}
{{- end }}
{{- if .Values.controllers.gamestatefulset.enabled }}
{{- $kinds = append $kinds "GameStatefulSet" }}
{{- end }}
{{- end }}
{{- toJson $kinds }}
{{- end }}

{{/* A list of texts in CEL. */}}
{{- define "game-operators.cel.list" -}}
{{- $quoted := list }}
{{- range . }}
{{- $quoted = append $quoted (printf "'%s'" (. | replace "\\" "\\\\" | replace "'" "\\'")) }}
{{- end }}
{{- printf "[%s]" (join ", " $quoted) }}
{{- end }}

{{/* Our own conditions, then the user's: dict "root" $ "own" (list of dicts). */}}
{{- define "game-operators.admission.conditions" -}}
{{- $found := .own }}
{{- range $name, $expression := .root.Values.admission.matchConditions }}
{{- $found = append $found (dict "name" $name "expression" $expression) }}
{{- end }}
{{- with .root.Values.admission.exemptUsers }}
{{- $found = append $found (dict "name" "not-exempt" "expression" (printf "!(request.userInfo.username in %s)" (include "game-operators.cel.list" .))) }}
{{- end }}
{{- if $found }}
{{- toYaml $found }}
{{- end }}
{{- end }}

{{- define "game-operators.cel.ours" -}}
oldObject.metadata.name in ['gamedeployments.tkex.tencent.com', 'gamestatefulsets.tkex.tencent.com', 'hooktemplates.tkex.tencent.com', 'hookruns.tkex.tencent.com']
{{- end }}

{{- define "game-operators.cel.undecided" -}}
!(has(oldObject.metadata.labels) && 'io.tencent.bcs.dev/deletion-allow' in oldObject.metadata.labels && oldObject.metadata.labels['io.tencent.bcs.dev/deletion-allow'] == 'Always')
{{- end }}

{{- define "game-operators.cel.changed" -}}
request.operation == 'CREATE' || object.spec != oldObject.spec || (has(object.metadata.annotations) ? object.metadata.annotations : {}) != (has(oldObject.metadata.annotations) ? oldObject.metadata.annotations : {}) || (has(object.metadata.labels) ? object.metadata.labels : {}) != (has(oldObject.metadata.labels) ? oldObject.metadata.labels : {})
{{- end }}

{{- define "game-operators.cel.label" -}}
has(oldObject.metadata.labels) && 'io.tencent.bcs.dev/deletion-allow' in oldObject.metadata.labels ? oldObject.metadata.labels['io.tencent.bcs.dev/deletion-allow'] : ''
{{- end }}

{{- define "game-operators.deletion.message" -}}
forbidden by ResourceDeletionAllow, set labels io.tencent.bcs.dev/deletion-allow=Always to allow operation
{{- end }}

{{/* One webhook: dict "root" "name" "path" "rule" "failurePolicy" "conditions". */}}
{{- define "game-operators.webhook" -}}
- name: {{ .name }}.game-operators.tkex.tencent.com
  admissionReviewVersions: [v1]
  clientConfig:
    service:
      namespace: {{ .root.Release.Namespace }}
      name: {{ include "game-operators.webhooks.name" .root }}
      port: 443
      path: {{ .path }}
    {{- if and (eq .root.Values.webhooks.certificates.source "secret") .root.Values.webhooks.certificates.caBundle }}
    caBundle: {{ .root.Values.webhooks.certificates.caBundle | b64enc }}
    {{- end }}
  rules:
    - {{- toYaml .rule | nindent 6 }}
  matchPolicy: Equivalent
  matchConditions:
    {{- include "game-operators.admission.conditions" (dict "root" .root "own" .conditions) | nindent 4 }}
  sideEffects: None
  timeoutSeconds: {{ .root.Values.webhooks.timeoutSeconds }}
  failurePolicy: {{ .failurePolicy }}
  {{- if eq .rule.scope "Namespaced" }}
  namespaceSelector:
    {{- include "game-operators.admission.selector" .root | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "game-operators.rule.workload" -}}
operations: [DELETE]
apiGroups: [tkex.tencent.com]
apiVersions: [v1alpha1]
resources: [gamedeployments, gamestatefulsets, hooktemplates]
scope: Namespaced
{{- end }}

{{- define "game-operators.rule.definition" -}}
operations: [DELETE]
apiGroups: [apiextensions.k8s.io]
apiVersions: [v1]
resources: [customresourcedefinitions]
scope: Cluster
{{- end }}
