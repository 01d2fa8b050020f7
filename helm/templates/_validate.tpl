{{/* Refuses what would lose or double signals, each in one line that says what to do. */}}
{{- define "signal-dispatch.validate" -}}
{{- include "signal-dispatch.validateRedis" . -}}
{{- include "signal-dispatch.validateTimes" . -}}
{{- include "signal-dispatch.validateEndpoint" . -}}
{{- include "signal-dispatch.validateGateway" . -}}
{{- include "signal-dispatch.validateOthers" . -}}
{{- end -}}

{{- define "signal-dispatch.validateRedis" -}}
{{- $given := list -}}
{{- if .Values.redis.existingSecret }}{{ $given = append $given "redis.existingSecret" }}{{ end -}}
{{- if .Values.redis.url }}{{ $given = append $given "redis.url" }}{{ end -}}
{{- if .Values.valkey.enabled }}{{ $given = append $given "valkey.enabled" }}{{ end -}}
{{- if and .Values.redis.url (not (regexMatch "^(redis|rediss|sentinel|sentinels)://" .Values.redis.url)) -}}
{{- fail "redis.url: must begin with redis://, rediss://, sentinel:// or sentinels://" -}}
{{- end -}}
{{- with .Values.redis.url -}}
{{/* Not by urlParse: what it cannot read it quotes, password included. */ -}}
{{- $usual := hasPrefix "sentinel" . | ternary "26379" "6379" -}}
{{- range regexReplaceAll "^[^/]*//(.*@)?" . "" | regexFind "^[^/?]*" | splitList "," -}}
{{- $port := regexFind ":[0-9]+$" . | trimPrefix ":" | default $usual | int -}}
{{- if and $.Values.networkPolicy.enabled (not (include "signal-dispatch.holdsPort" (list $.Values.networkPolicy.redis.ports $port))) -}}
{{- fail (printf "networkPolicy.redis.ports: must hold %d, the port of redis.url, or nothing reaches your Redis" $port) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not $given -}}
{{- fail "redis: name your Redis in redis.existingSecret, or run one with valkey.enabled=true" -}}
{{- else if gt (len $given) 1 -}}
{{- fail (printf "redis: %s name different servers, and signals would be split between them; keep one" (join " and " $given)) -}}
{{- end -}}
{{- if .Values.valkey.enabled -}}
{{- if ne (int .Values.valkey.replicas) 1 -}}
{{- fail "valkey.replicas: must be 1, a second server would be another queue; use sentinels or a managed Redis with redis.existingSecret" -}}
{{- end -}}
{{- if ne (get .Values.valkey.config "maxmemory-policy" | toString) "noeviction" -}}
{{- fail "valkey.config.maxmemory-policy: must be noeviction, or signals and ids would be dropped when memory is full" -}}
{{- end -}}
{{- if not (has (get .Values.valkey.config "appendonly" | toString) (list "yes" "true")) -}}
{{- fail "valkey.config.appendonly: must be \"yes\", or a restart would lose signals, and forget ids" -}}
{{- end -}}
{{- if not (regexMatch "^[1-9][0-9]*([kmg]?b?)$" (get .Values.valkey.config "maxmemory" | toJson | trimAll "\"" | lower)) -}}
{{- fail "valkey.config.maxmemory: must be set, such as 1gb, well below the memory limit, or a full server is killed again and again instead of refusing signals" -}}
{{- end -}}
{{- $most := include "signal-dispatch.bytes" (get .Values.valkey.config "maxmemory" | toJson | trimAll "\"") | float64 -}}
{{- $limit := (.Values.valkey.resources.limits | default dict).memory | default "" | toString -}}
{{- if and $limit (ge $most (include "signal-dispatch.bytes" $limit | float64)) -}}
{{- fail (printf "valkey.config.maxmemory: %s must be below valkey.resources.limits.memory = %s, or a full server is killed again and again instead of refusing signals" (get .Values.valkey.config "maxmemory" | toJson | trimAll "\"") $limit) -}}
{{- end -}}
{{- range list "aclfile" "bind" "user" "requirepass" "port" "dir" "cluster-enabled" "include" -}}
{{- if hasKey $.Values.valkey.config . -}}
{{- fail (printf "valkey.config.%s: is the chart's own; use redis.existingSecret with a server of yours" .) -}}
{{- end -}}
{{- end -}}
{{- if and (eq (include "signal-dispatch.setting" (list . "durability")) "fsync") (has (get .Values.valkey.config "appendfsync" | toString) (list "no" "false")) -}}
{{- fail "settings.durability: fsync needs valkey.config.appendfsync always or everysec: nothing would be accepted" -}}
{{- end -}}
{{- if eq (include "signal-dispatch.setting" (list . "durability")) "replicas" -}}
{{- fail "settings.durability: replicas is impossible with valkey.enabled, which has none: nothing would be accepted; use fsync" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "signal-dispatch.validateTimes" -}}
{{- $deadline := include "signal-dispatch.setting" (list . "deadline") | float64 -}}
{{- $lease := include "signal-dispatch.setting" (list . "lease") | float64 -}}
{{- $stop := include "signal-dispatch.setting" (list . "stopTimeout") | float64 -}}
{{- if lt $lease (addf $deadline 5.0) -}}
{{- fail (printf "settings.lease: %v s must be at least settings.deadline + 5 = %v s, or a POST could outlive its lease" $lease (addf $deadline 5.0)) -}}
{{- end -}}
{{- if le $stop $deadline -}}
{{- fail (printf "settings.stopTimeout: %v s must exceed settings.deadline = %v s, or a shutdown would leave POSTs of unknown fate" $stop $deadline) -}}
{{- end -}}
{{- if lt (include "signal-dispatch.workerGrace" . | float64) (addf $stop 5.0) -}}
{{- fail (printf "worker.terminationGracePeriodSeconds: must be at least settings.stopTimeout + 5 = %v, or workers are killed with POSTs in flight" (addf $stop 5.0)) -}}
{{- end -}}
{{- end -}}

{{- define "signal-dispatch.validateEndpoint" -}}
{{- if and .Values.paper.enabled (hasKey .Values.settings "endpointUrl") -}}
{{- fail (printf "paper.enabled: workers would post to %s, not to the paper endpoint; remove settings.endpointUrl, or paper.enabled" .Values.settings.endpointUrl) -}}
{{- end -}}
{{- if not .Values.paper.enabled -}}
{{- $url := include "signal-dispatch.endpoint" . -}}
{{- $host := regexReplaceAll "^[^/]*//([^/?#]*@)?" $url "" | regexFind "^[^/?#]*" -}}
{{- if not (and (regexMatch "^(?i)https?://[!-~]+$" $url) $host) -}}
{{- fail "settings.endpointUrl: must begin with https:// (or http://) and name a host" -}}
{{- end -}}
{{- $port := regexFind ":[0-9]+$" $host | trimPrefix ":" | default (hasPrefix "https:" (lower $url) | ternary "443" "80") | int -}}
{{- if and .Values.networkPolicy.enabled (not (include "signal-dispatch.holdsPort" (list .Values.networkPolicy.endpoint.ports $port))) -}}
{{- fail (printf "networkPolicy.endpoint.ports: must hold %d, the port of settings.endpointUrl, or no order goes out" $port) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "signal-dispatch.validateGateway" -}}
{{- if .Values.gateway.enabled -}}
{{- $accounts := or .Values.accounts.existingSecret .Values.accounts.data -}}
{{- $path := or .Values.gateway.pathSecret.existingSecret .Values.gateway.pathSecret.value -}}
{{- $keys := or .Values.apiKeys.existingSecret .Values.apiKeys.data -}}
{{- if not (or $accounts $path $keys .Values.settings.gatewayOpen) -}}
{{- fail "gateway: anybody could send signals; set accounts, gateway.pathSecret or apiKeys, or settings.gatewayOpen=true if you want that" -}}
{{- end -}}
{{- $least := addf (include "signal-dispatch.gatewayDeadline" . | float64) (float64 .Values.gateway.preStopSeconds) 2.0 -}}
{{- if lt (include "signal-dispatch.gatewayGrace" . | float64) $least -}}
{{- fail (printf "gateway.terminationGracePeriodSeconds: must be at least %v (gateway.preStopSeconds + settings.gatewayDeadline + 2), or answers are cut off and senders send again" $least) -}}
{{- end -}}
{{- if and .Values.gateway.ingress.enabled (not .Values.gateway.ingress.host) -}}
{{- fail "gateway.ingress.host: must name the host, or every name that leads to the ingress would take signals" -}}
{{- end -}}
{{- if and .Values.gateway.httpRoute.enabled (not .Values.gateway.httpRoute.parentRefs) -}}
{{- fail "gateway.httpRoute.parentRefs: must name a Gateway" -}}
{{- end -}}
{{- else if or .Values.gateway.ingress.enabled .Values.gateway.httpRoute.enabled -}}
{{- fail "gateway.enabled: must be true for gateway.ingress and gateway.httpRoute" -}}
{{- end -}}
{{- end -}}

{{/* Argument: list of ports, port. */}}
{{- define "signal-dispatch.holdsPort" -}}
{{- $port := index . 1 -}}
{{- range index . 0 }}{{ if eq (int .) $port }}yes{{ end }}{{ end -}}
{{- end -}}

{{- define "signal-dispatch.validateOthers" -}}
{{- $name := include "signal-dispatch.fullname" . -}}
{{- if not (regexMatch "^[a-z][-a-z0-9]*$" $name) -}}
{{- fail (printf "fullnameOverride: %s cannot name a Service; give a name of letters, digits and - that begins with a letter" $name) -}}
{{- end -}}
{{- range $name := list "worker" "gateway" -}}
{{- range (get $.Values $name).extraEnv -}}
{{- if hasPrefix "SIGNALS_" (upper .name) -}}
{{- fail (printf "%s.extraEnv: %s is a setting, and nothing would be checked of it; use settings.%s, or the value of its own" $name .name (trimPrefix "SIGNALS_" (upper .name) | lower | camelcase | untitle)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name := list "accounts" "apiKeys" -}}
{{- $one := get $.Values $name -}}
{{- if and $one.existingSecret $one.data -}}
{{- fail (printf "%s: give existingSecret or data, not both" $name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.gateway.pathSecret.existingSecret .Values.gateway.pathSecret.value -}}
{{- fail "gateway.pathSecret: give existingSecret or value, not both" -}}
{{- end -}}
{{- if and .Values.monitoring.podMonitor.enabled .Values.monitoring.serviceMonitor.enabled -}}
{{- fail "monitoring: podMonitor and serviceMonitor together would count everything twice; keep one" -}}
{{- end -}}
{{- $scaling := .Values.worker.autoscaling -}}
{{- if and (ne $scaling.kind "none") (eq (int .Values.worker.replicas) 0) -}}
{{- fail "worker.replicas: 0 stops no worker while worker.autoscaling.kind decides on the number; set that to none too" -}}
{{- end -}}
{{- $gateways := .Values.gateway.autoscaling -}}
{{- $resources := .Values.gateway.resources -}}
{{- if and .Values.gateway.enabled $gateways.enabled (not (or ($resources.requests | default dict).cpu ($resources.limits | default dict).cpu)) -}}
{{- fail "gateway.resources.requests.cpu: must be set for gateway.autoscaling, which aims at a share of it and would do nothing" -}}
{{- end -}}
{{- if and .Values.gateway.enabled $gateways.enabled (eq (int .Values.gateway.replicas) 0) -}}
{{- fail "gateway.replicas: 0 stops no gateway while gateway.autoscaling.enabled decides on the number; set that to false too" -}}
{{- end -}}
{{- if and $gateways.enabled (gt (int $gateways.minReplicas) (int $gateways.maxReplicas)) -}}
{{- fail "gateway.autoscaling.minReplicas: must not exceed maxReplicas" -}}
{{- end -}}
{{- if and (ne $scaling.kind "none") (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- fail "worker.autoscaling.minReplicas: must not exceed maxReplicas" -}}
{{- end -}}
{{- if and (eq $scaling.kind "keda") (not $scaling.keda.serverAddress) -}}
{{- fail "worker.autoscaling.keda.serverAddress: must be the address of Prometheus, such as http://prometheus:9090" -}}
{{- end -}}
{{- end -}}
