{{/* Lines of every pod's spec. Argument: dict "root" $ "values" .Values.worker "component" "worker". */}}
{{- define "signal-dispatch.pod" -}}
serviceAccountName: {{ include "signal-dispatch.serviceAccountName" .root | quote }}
automountServiceAccountToken: false
{{/* Kubernetes would make variables of Services, such as SIGNALS_GATEWAY_PORT, and ours refuse unknown ones. */ -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Changes with what pods get as variables. Who may see pods could try passwords against a plain hash, so theirs is slow.
Argument: list $ secrets of the values. */}}
{{- define "signal-dispatch.checksum" -}}
{{- $root := first . -}}
{{- $secrets := rest . | join "" -}}
{{- if $secrets }}{{ $secrets = derivePassword 1 "maximum" $secrets $root.Release.Name "checksum" }}{{ end -}}
{{- print (include (print $root.Template.BasePath "/configmap.yaml") $root) $secrets | sha256sum -}}
{{- end -}}

{{/* Where replicas run. Same argument. */}}
{{- define "signal-dispatch.placement" -}}
topologySpreadConstraints:
{{- with .values.topologySpreadConstraints }}
  {{- toYaml . | nindent 2 }}
{{- else }}
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "signal-dispatch.selectorLabels" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- if .values.affinity }}
affinity: {{ toYaml .values.affinity | nindent 2 }}
{{- else if eq .values.podAntiAffinity "soft" }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm: {{- include "signal-dispatch.together" . | nindent 10 }}
{{- else if eq .values.podAntiAffinity "hard" }}
affinity:
  podAntiAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - {{- include "signal-dispatch.together" . | nindent 8 }}
{{- end }}
{{- end -}}

{{- define "signal-dispatch.together" -}}
topologyKey: kubernetes.io/hostname
labelSelector:
  matchLabels: {{- include "signal-dispatch.selectorLabels" . | nindent 4 }}
{{- end -}}

{{/* Lines of every container. */}}
{{- define "signal-dispatch.securityContext" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* Variables that say where Redis is. Argument: dict "root" $ "role" "worker"; roles are worker and producer. */}}
{{- define "signal-dispatch.redisEnv" -}}
{{- $name := include "signal-dispatch.fullname" .root -}}
{{- $redis := .root.Values.redis -}}
{{- if .root.Values.valkey.enabled }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .root.Values.valkey.auth.existingSecret | default (printf "%s-valkey" $name) | quote }}
      key: {{ .role }}-password
- name: SIGNALS_REDIS_URL
  value: redis://signals-{{ .role }}:$(REDIS_PASSWORD)@{{ $name }}-valkey:6379/0
{{- else }}
- name: SIGNALS_REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ $redis.existingSecret | default (printf "%s-redis" $name) | quote }}
      key: {{ $redis.existingSecret | empty | ternary "url" (eq .role "worker" | ternary $redis.workerKey $redis.gatewayKey) | quote }}
{{- end }}
{{- end -}}

{{/* Files in Secrets that a process reads: one line of JSON each, for the three templates below.
Argument: dict "root" $ "role" "worker". */}}
{{- define "signal-dispatch.files" -}}
{{- $values := .root.Values -}}
{{- $name := include "signal-dispatch.fullname" .root -}}
{{- if or $values.accounts.existingSecret $values.accounts.data }}
{{ dict "name" "accounts" "secret" ($values.accounts.existingSecret | default (printf "%s-accounts" $name)) "key" $values.accounts.key "variable" "SIGNALS_ACCOUNTS_FILE" | toJson }}
{{- end }}
{{- if and (eq .role "producer") (or $values.apiKeys.existingSecret $values.apiKeys.data) }}
{{ dict "name" "api-keys" "secret" ($values.apiKeys.existingSecret | default (printf "%s-api-keys" $name)) "key" $values.apiKeys.key "variable" "SIGNALS_API_KEYS_FILE" | toJson }}
{{- end }}
{{- with $values.tokenKeys.existingSecret }}
{{ dict "name" "token-keys" "secret" . "key" $values.tokenKeys.key "variable" "SIGNALS_TOKEN_KEYS_FILE" | toJson }}
{{- end }}
{{- if eq .role "worker" }}
{{- with $values.endpointCA.existingSecret }}
{{ dict "name" "endpoint-ca" "secret" . "key" $values.endpointCA.key "variable" "SIGNALS_ENDPOINT_CA_FILE" | toJson }}
{{- end }}
{{- end }}
{{- with $values.redis.tls.existingSecret }}
{{ dict "name" "redis-ca" "secret" . "key" "ca.crt" "item" $values.redis.tls.key | toJson }}
{{- end }}
{{- end -}}

{{/* Variables of worker, gateway and test. Argument: dict "root" $ "role" "worker" "values" .Values.worker. */}}
{{- define "signal-dispatch.env" -}}
{{- include "signal-dispatch.redisEnv" . }}
{{- range include "signal-dispatch.files" . | trim | splitList "\n" }}
{{- with . | fromJson }}
{{- if .variable }}
- name: {{ .variable }}
  value: /etc/signal-dispatch/{{ .name }}/{{ .key }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "signal-dispatch.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- range include "signal-dispatch.files" . | trim | splitList "\n" }}
{{- with . | fromJson }}
{{- if .name }}
{{/* Whole folders: a file mounted by subPath would not change with its Secret. */ -}}
- {name: {{ .name }}, mountPath: /etc/signal-dispatch/{{ .name }}, readOnly: true}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "signal-dispatch.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- range include "signal-dispatch.files" . | trim | splitList "\n" }}
{{- with . | fromJson }}
{{- if .name }}
- name: {{ .name }}
  secret:
    secretName: {{ .secret | quote }}
    defaultMode: 0440
    {{- with .item }}
    items: [{key: {{ . | quote }}, path: ca.crt}]
    {{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Argument: dict "path" "/livez" "port" "metrics" "period" 10 "failures" 3. */}}
{{- define "signal-dispatch.probe" -}}
httpGet: {path: {{ .path }}, port: {{ .port }}}
periodSeconds: {{ .period }}
timeoutSeconds: 3
failureThreshold: {{ .failures }}
{{- end -}}
