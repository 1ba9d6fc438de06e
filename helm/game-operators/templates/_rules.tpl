{{/*
Rights of the operators, as few as their controllers use. docs/security.md tells what each is for, and a test runs the
workloads' whole life under exactly these.
*/}}
{{- define "game-operators.rules.workload" -}}
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods/status]
  verbs: [patch]
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [tkex.tencent.com]
  resources: [hooktemplates]
  verbs: [list, watch]
- apiGroups: [tkex.tencent.com]
  resources: [hookruns]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [tkex.tencent.com]
  resources: [{{ . }}]
  verbs: [get, list, watch, patch]
- apiGroups: [tkex.tencent.com]
  resources: [{{ . }}/status]
  verbs: [patch]
- apiGroups: [tkex.tencent.com]
  resources: [{{ . }}/finalizers]
  verbs: [update]
{{- end }}

{{/* What the controllers need in every namespace they work in. */}}
{{- define "game-operators.rules.namespaced" -}}
{{- $on := .Values.controllers -}}
{{- if $on.gamedeployment.enabled }}
{{ include "game-operators.rules.workload" "gamedeployments" }}
{{- end }}
{{- if $on.gamestatefulset.enabled }}
{{ include "game-operators.rules.workload" "gamestatefulsets" }}
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods/finalizers]
  verbs: [update]
{{- end }}
{{- if $on.hook.enabled }}
- apiGroups: [""]
  resources: [pods]
  verbs: [get, patch]
- apiGroups: [tkex.tencent.com]
  resources: [gamedeployments, gamestatefulsets]
  verbs: [get, patch]
- apiGroups: [tkex.tencent.com]
  resources: [hookruns]
  verbs: [list, watch, delete]
- apiGroups: [tkex.tencent.com]
  resources: [hookruns/status]
  verbs: [patch]
{{- end }}
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- if include "game-operators.protectsNamespaces" . }}
{{- /* A Role grants these for the namespace that it stands in. */}}
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get, patch]
- apiGroups: [tkex.tencent.com]
  resources: [gamedeployments, gamestatefulsets]
  verbs: [list, watch]
{{- end }}
{{- end }}

{{/* What stands outside of namespaces, for operators that work in all of them. */}}
{{- define "game-operators.rules.cluster" -}}
- apiGroups: [""]
  resources: [nodes]
  verbs: [list, watch]
{{- if .Values.controllers.gamestatefulset.enabled }}
- apiGroups: [""]
  resources: [nodes]
  verbs: [get]
{{- end }}
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs: [list, watch]
{{- if include "game-operators.protectsNamespaces" . }}
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list]
{{- end }}
{{- end }}

{{/* Reading our own definitions; granted in both modes. */}}
{{- define "game-operators.rules.definitions" -}}
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  resourceNames:
    - gamedeployments.tkex.tencent.com
    - gamestatefulsets.tkex.tencent.com
    - hookruns.tkex.tencent.com
    - hooktemplates.tkex.tencent.com
  verbs: [get]
{{- end }}
