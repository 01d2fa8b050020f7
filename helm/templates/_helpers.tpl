{{- define "signal-dispatch.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 45 characters: "-gateway-metrics" must fit into a Service's 63, and "-valkey" into the 52 of a StatefulSet,
whose pods carry its name with a hash as a label. */}}
{{- define "signal-dispatch.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "signal-dispatch.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Labels of any object. Argument: dict "root" $ "component" "worker" "labels" dict (root alone will do). */}}
{{- define "signal-dispatch.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
{{ include "signal-dispatch.selectorLabels" . }}
{{- with merge dict (.labels | default dict) (.root.Values.commonLabels | default dict) }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "signal-dispatch.selectorLabels" -}}
app.kubernetes.io/name: {{ include "signal-dispatch.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* Labels of a pod: not the chart's version, or each new one would restart Valkey. */}}
{{- define "signal-dispatch.podLabels" -}}
{{ include "signal-dispatch.selectorLabels" . }}
{{- with merge dict (.values.podLabels | default dict) (.root.Values.commonLabels | default dict) }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Name, namespace and labels of an object. Argument: dict "root" $ "component" "worker" "suffix" "-worker". */}}
{{- define "signal-dispatch.metadata" -}}
name: {{ include "signal-dispatch.fullname" .root }}{{ .suffix | default "" }}
namespace: {{ .root.Release.Namespace | quote }}
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

{{/* A setting in force. Argument: list $ "deadline". */}}
{{- define "signal-dispatch.setting" -}}
{{- $root := index . 0 -}}{{- $name := index . 1 -}}
{{- $holder := hasKey $root.Values.settings $name | ternary $root.Values.settings ($root.Files.Get "files/settings.json" | fromJson) -}}
{{- include "signal-dispatch.text" (get $holder $name) -}}
{{- end -}}

{{/* Text as it is, for JSON would escape its `&`; anything else as JSON, for 1000000 would become 1e+06. */}}
{{- define "signal-dispatch.text" -}}
{{- kindIs "string" . | ternary . (. | toJson) -}}
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
{{- include "signal-dispatch.setting" (list . "endpointUrl") -}}
{{- end -}}
{{- end -}}
