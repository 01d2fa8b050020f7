{{- define "signal-dispatch.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 52 characters, so that the longest suffix fits into a label. */}}
{{- define "signal-dispatch.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "signal-dispatch.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Labels of any object. Argument: dict "root" $ "component" "worker" (component may be missing). */}}
{{- define "signal-dispatch.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
{{ include "signal-dispatch.selectorLabels" . }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "signal-dispatch.selectorLabels" -}}
app.kubernetes.io/name: {{ include "signal-dispatch.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* Labels of a pod: not the chart's version, or each new one would restart Valkey. */}}
{{- define "signal-dispatch.podLabels" -}}
{{ include "signal-dispatch.selectorLabels" . }}
{{- with merge dict (.values.podLabels | default dict) .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Name, namespace and labels of an object. Argument: dict "root" $ "component" "worker" "suffix" "-worker". */}}
{{- define "signal-dispatch.metadata" -}}
name: {{ include "signal-dispatch.fullname" .root }}{{ .suffix | default "" }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "signal-dispatch.labels" . | nindent 2 }}
{{- end -}}

{{- define "signal-dispatch.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "signal-dispatch.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* Argument: the map of an image, its tag filled in. */}}
{{- define "signal-dispatch.imageName" -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag }}{{- end -}}
{{- end -}}

{{/* Lines of a container: our image. */}}
{{- define "signal-dispatch.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
image: {{ include "signal-dispatch.imageName" (merge (dict "tag" $tag) .Values.image) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end -}}

{{/* A setting in force, as JSON. Argument: list $ "deadline". */}}
{{- define "signal-dispatch.setting" -}}
{{- $root := index . 0 -}}{{- $name := index . 1 -}}
{{- $default := get ($root.Files.Get "files/settings.json" | fromJson) $name -}}
{{- if hasKey $root.Values.settings $name -}}
{{- get $root.Values.settings $name | toJson -}}
{{- else -}}
{{- $default | toJson -}}
{{- end -}}
{{- end -}}

{{/* The same rounded up to whole seconds. */}}
{{- define "signal-dispatch.seconds" -}}
{{- include "signal-dispatch.setting" . | float64 | ceil | int -}}
{{- end -}}

{{/* Bytes of `2gb` (Valkey) or `2Gi` (Kubernetes); near enough for a comparison. Argument: the text. */}}
{{- define "signal-dispatch.bytes" -}}
{{- $unit := regexFind "[a-zA-Z]" . | lower -}}
{{- mulf (regexFind "^[0-9.]+" .) (get (dict "k" 1024 "m" 1048576 "g" 1073741824 "t" 1099511627776) $unit | default 1) -}}
{{- end -}}

{{- define "signal-dispatch.workerGrace" -}}
{{- .Values.worker.terminationGracePeriodSeconds | default (add (include "signal-dispatch.seconds" (list . "stopTimeout")) 10) -}}
{{- end -}}

{{- define "signal-dispatch.gatewayGrace" -}}
{{- $deadline := include "signal-dispatch.gatewayDeadline" . -}}
{{- .Values.gateway.terminationGracePeriodSeconds | default (add $deadline .Values.gateway.preStopSeconds 10) -}}
{{- end -}}

{{- define "signal-dispatch.gatewayDeadline" -}}
{{- include "signal-dispatch.seconds" (list . "gatewayDeadline") -}}
{{- end -}}

{{- define "signal-dispatch.paperURL" -}}
http://{{ include "signal-dispatch.fullname" . }}-paper:8787/trading-signal/webhook
{{- end -}}

{{- define "signal-dispatch.endpoint" -}}
{{- if .Values.paper.enabled -}}
{{- include "signal-dispatch.paperURL" . -}}
{{- else -}}
{{- include "signal-dispatch.setting" (list . "endpointUrl") | trimAll "\"" -}}
{{- end -}}
{{- end -}}
