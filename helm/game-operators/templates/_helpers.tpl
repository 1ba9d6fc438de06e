{{- define "game-operators.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Labels of pods: without the chart's version, so that an upgrade without a change of the pods replaces none. */}}
{{- define "game-operators.podLabels" -}}
{{ include "game-operators.selector" . }}
app.kubernetes.io/part-of: game-operators
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Room is left for the longest suffix of a name that is made of it. */}}
{{- define "game-operators.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "game-operators.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "game-operators.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "game-operators.selector" -}}
app.kubernetes.io/name: {{ include "game-operators.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "game-operators.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "game-operators.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: game-operators
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "game-operators.image" -}}
{{- $name := .Values.image.repository -}}
{{- if .Values.image.registry -}}
{{- $name = printf "%s/%s" (trimSuffix "/" .Values.image.registry) (trimPrefix "/" $name) -}}
{{- end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest }}
{{- else -}}
{{- printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* Names of the controllers that are switched on, by space, in the order of the command's own list. */}}
{{- define "game-operators.controllers" -}}
{{- $names := list -}}
{{- range $name := list "gamedeployment" "gamestatefulset" "hook" -}}
{{- if (index $.Values.controllers $name).enabled -}}
{{- $names = append $names $name -}}
{{- end -}}
{{- end -}}
{{- join " " $names }}
{{- end }}

{{- define "game-operators.operatorsEnabled" -}}
{{- if include "game-operators.controllers" . }}true{{ end }}
{{- end }}

{{- define "game-operators.operators.serviceAccount" -}}
{{- default (include "game-operators.fullname" .) .Values.operators.serviceAccount.name }}
{{- end }}

{{- define "game-operators.leaseName" -}}
{{- default (include "game-operators.fullname" .) .Values.operators.leaderElection.leaseName }}
{{- end }}

{{/* Services that hooks may not reach: the API server's, and our own. */}}
{{- define "game-operators.hooks.deniedServices" -}}
{{- $denied := list "default/kubernetes" (printf "%s/%s" .Release.Namespace (include "game-operators.fullname" .)) -}}
{{- if .Values.webhooks.enabled -}}
{{- $denied = append $denied (printf "%s/%s" .Release.Namespace (include "game-operators.webhooks.name" .)) -}}
{{- end -}}
{{- join "," $denied }}
{{- end }}

{{/* What the Pod Security level "restricted" asks of a pod, and of a container. */}}
{{- define "game-operators.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "game-operators.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Spread over nodes and zones if possible; a cluster of one node still runs all replicas. */}}
{{- define "game-operators.spread" -}}
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "game-operators.selector" $.root | nindent 6 }}
      app.kubernetes.io/component: {{ $.component }}
{{- end }}
{{- end }}

{{/* Placement of a component: dict "root" $ "component" "operators" "of" .Values.operators. */}}
{{- define "game-operators.placement" -}}
{{- with .of.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .of.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- if .of.topologySpreadConstraints }}
  {{- toYaml .of.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  {{- include "game-operators.spread" . | trim | nindent 2 }}
  {{- end }}
{{- end }}
