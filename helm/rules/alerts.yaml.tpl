{{- /* Made by `make docs` from monitoring/; do not edit. */ -}}
{{- $narrow := printf "namespace=%q,release=%q" $.Release.Namespace $.Release.Name -}}
groups:
- name: signals-orders
  rules:
  - alert: SignalsUnknownOutcomes
    expr: max without (instance, pod) (signals_dead_letters{ {{ $narrow }}, reason="unknown"}) > 0 or (max without (instance, pod) (last_over_time(signals_dead_letters{ {{ $narrow }}, reason="unknown"}[15m])) > 0 unless ignoring (reason) max without (instance, pod) (signals_redis_up{ {{ $narrow }} }) == 1)
    for: 0m
    labels:
      severity: critical
    annotations:
      summary: Orders of unknown fate wait for a person
      description: '{{ "{{" }} $value }} signals may or may not have become orders. They are not posted again by themselves.'
      runbook: docs/runbooks/SignalsUnknownOutcomes.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsUnknownOutcomes.md
{{- end }}
  - alert: SignalsFailedExits
    expr: sum without (reason) (max without (instance, pod) (signals_dead_exits{ {{ $narrow }}, reason!="unknown"}) > 0 or (max without (instance, pod) (last_over_time(signals_dead_exits{ {{ $narrow }}, reason!="unknown"}[15m])) > 0 unless ignoring (reason) max without (instance, pod) (signals_redis_up{ {{ $narrow }} }) == 1))
    for: 0m
    labels:
      severity: critical
    annotations:
      summary: Exits or cancels did not reach the endpoint, or were refused
      description: '{{ "{{" }} $value }} closes or cancels ended without an order: positions may be open that should not be.'
      runbook: docs/runbooks/SignalsFailedExits.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsFailedExits.md
{{- end }}
  - alert: SignalsOldestDueTooOld
    expr: max without (instance, pod) (signals_oldest_free_due_seconds{ {{ $narrow }} }) > {{ $.Values.monitoring.rules.thresholds.oldestDueSeconds }}
    for: 1m
    labels:
      severity: critical
    annotations:
      summary: Signals that are due are not posted
      description: The longest waiting signal has been due for {{ "{{" }} $value | humanizeDuration }}; entries expire.
      runbook: docs/runbooks/SignalsOldestDueTooOld.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsOldestDueTooOld.md
{{- end }}
  - alert: SignalsLate
    expr: signals:lateness_seconds:p99_5m{ {{ $narrow }} } > {{ $.Values.monitoring.rules.thresholds.lateSeconds }}
    for: 10m
    labels:
      severity: warning
    annotations:
      summary: First POSTs start late
      description: One signal in a hundred starts {{ "{{" }} $value | humanizeDuration }} or more after its due time.
      runbook: docs/runbooks/SignalsLate.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsLate.md
{{- end }}
  - alert: SignalsErrorBudgetBurn
    expr: signals:failures:ratio_rate1h{ {{ $narrow }} } > 14.4 * {{ $.Values.monitoring.rules.thresholds.errorBudget }} and signals:failures:ratio_rate5m{ {{ $narrow }} } > 14.4 * {{ $.Values.monitoring.rules.thresholds.errorBudget }} and sum without (instance, pod, outcome) (increase(signals_latency_seconds_count{ {{ $narrow }}, outcome=~"expired|unknown|unsent"}[1h])) >= {{ $.Values.monitoring.rules.thresholds.leastFailures }}
    for: 2m
    labels:
      severity: critical
      long: 1h
      short: 5m
    annotations:
      summary: Too many signals fail
      description: '{{ "{{" }} $value | humanizePercentage }} of the signals of the last 1h ended as unsent, expired or unknown.'
      runbook: docs/runbooks/SignalsErrorBudgetBurn.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsErrorBudgetBurn.md
{{- end }}
  - alert: SignalsErrorBudgetBurn
    expr: signals:failures:ratio_rate6h{ {{ $narrow }} } > 6 * {{ $.Values.monitoring.rules.thresholds.errorBudget }} and signals:failures:ratio_rate30m{ {{ $narrow }} } > 6 * {{ $.Values.monitoring.rules.thresholds.errorBudget }} and sum without (instance, pod, outcome) (increase(signals_latency_seconds_count{ {{ $narrow }}, outcome=~"expired|unknown|unsent"}[6h])) >= {{ $.Values.monitoring.rules.thresholds.leastFailures }}
    for: 5m
    labels:
      severity: critical
      long: 6h
      short: 30m
    annotations:
      summary: Too many signals fail
      description: '{{ "{{" }} $value | humanizePercentage }} of the signals of the last 6h ended as unsent, expired or unknown.'
      runbook: docs/runbooks/SignalsErrorBudgetBurn.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsErrorBudgetBurn.md
{{- end }}
  - alert: SignalsErrorBudgetBurn
    expr: signals:failures:ratio_rate1d{ {{ $narrow }} } > 3 * {{ $.Values.monitoring.rules.thresholds.errorBudget }} and signals:failures:ratio_rate2h{ {{ $narrow }} } > 3 * {{ $.Values.monitoring.rules.thresholds.errorBudget }} and sum without (instance, pod, outcome) (increase(signals_latency_seconds_count{ {{ $narrow }}, outcome=~"expired|unknown|unsent"}[1d])) >= {{ $.Values.monitoring.rules.thresholds.leastFailures }}
    for: 15m
    labels:
      severity: warning
      long: 1d
      short: 2h
    annotations:
      summary: Too many signals fail
      description: '{{ "{{" }} $value | humanizePercentage }} of the signals of the last 1d ended as unsent, expired or unknown.'
      runbook: docs/runbooks/SignalsErrorBudgetBurn.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsErrorBudgetBurn.md
{{- end }}
  - alert: SignalsErrorBudgetBurn
    expr: signals:failures:ratio_rate3d{ {{ $narrow }} } > 1 * {{ $.Values.monitoring.rules.thresholds.errorBudget }} and signals:failures:ratio_rate6h{ {{ $narrow }} } > 1 * {{ $.Values.monitoring.rules.thresholds.errorBudget }} and sum without (instance, pod, outcome) (increase(signals_latency_seconds_count{ {{ $narrow }}, outcome=~"expired|unknown|unsent"}[3d])) >= {{ $.Values.monitoring.rules.thresholds.leastFailures }}
    for: 1h
    labels:
      severity: warning
      long: 3d
      short: 6h
    annotations:
      summary: Too many signals fail
      description: '{{ "{{" }} $value | humanizePercentage }} of the signals of the last 3d ended as unsent, expired or unknown.'
      runbook: docs/runbooks/SignalsErrorBudgetBurn.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsErrorBudgetBurn.md
{{- end }}
  - alert: SignalsDeadLettersRising
    expr: sum without (outcome) (max without (instance, pod) (increase(signals_ended_total{ {{ $narrow }}, outcome=~"expired|invalid|rejected|unsent"}[15m]))) > {{ $.Values.monitoring.rules.thresholds.deadLetters }}
    for: 0m
    labels:
      severity: warning
    annotations:
      summary: Many signals end without an order
      description: '{{ "{{" }} printf "%.0f" $value }} dead letters in 15 minutes (rejected, unsent, expired or invalid).'
      runbook: docs/runbooks/SignalsDeadLettersRising.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsDeadLettersRising.md
{{- end }}
  - alert: SignalsConflicts
    expr: max without (instance, pod) (increase(signals_conflicts_total{ {{ $narrow }} }[15m])) > 0
    for: 0m
    labels:
      severity: warning
    annotations:
      summary: An order id was used for two different orders
      description: '{{ "{{" }} printf "%.0f" $value }} signals in 15 minutes were refused: their id belongs to another order.'
      runbook: docs/runbooks/SignalsConflicts.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsConflicts.md
{{- end }}
  - alert: SignalsRefusedFull
    expr: max without (instance, pod) (increase(signals_full_total{ {{ $narrow }} }[15m])) > 0
    for: 0m
    labels:
      severity: warning
    annotations:
      summary: Signals are refused because too many of their connector wait
      description: '{{ "{{" }} printf "%.0f" $value }} signals in 15 minutes got the receipt `full` and were not taken.'
      runbook: docs/runbooks/SignalsRefusedFull.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsRefusedFull.md
{{- end }}
  - alert: SignalsConnectorSilent
    expr: sum without (instance, pod, outcome) (increase(signals_connector_outcomes_total{ {{ $narrow }}, connector!="other"}[1d] offset 2h)) > {{ $.Values.monitoring.rules.thresholds.usualOutcomes }} unless sum without (instance, pod, outcome) (increase(signals_connector_outcomes_total{ {{ $narrow }} }[2h]) > 0 or signals_connector_outcomes_total{ {{ $narrow }} } unless signals_connector_outcomes_total{ {{ $narrow }} } offset 2h)
    for: 5m
    labels:
      severity: warning
    annotations:
      summary: A connector that is usually busy is silent
      description: '{{ "{{" }} $labels.connector }} had no signal for 2 hours, after {{ "{{" }} $value | humanize }} in the day before.'
      runbook: docs/runbooks/SignalsConnectorSilent.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsConnectorSilent.md
{{- end }}
  - alert: SignalsPaused
    expr: max without (instance, pod) (signals_paused{ {{ $narrow }} }) > 0
    for: 1h
    labels:
      severity: info
    annotations:
      summary: A pause has been on for an hour
      description: Signals are held back ({{ "{{" }} $labels.scope }}). Entries expire; a forgotten pause misses orders.
      runbook: docs/runbooks/SignalsPaused.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsPaused.md
{{- end }}
- name: signals-workers
  rules:
  - alert: SignalsWorkerAbsent
    expr: count without (instance, pod) (last_over_time(signals_threads{ {{ $narrow }} }[6h])) unless count without (instance, pod) (signals_threads{ {{ $narrow }} }) or on () absent(signals_threads{ {{ $narrow }} })
    for: 2m
    labels:
      severity: critical
    annotations:
      summary: No worker is running
      description: No worker can be scraped; nothing is posted.
      runbook: docs/runbooks/SignalsWorkerAbsent.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsWorkerAbsent.md
{{- end }}
  - alert: SignalsNoSweep
    expr: max without (instance, pod) (signals_workers{ {{ $narrow }} }) < 1
    for: 1m
    labels:
      severity: critical
    annotations:
      summary: No worker looks after the lanes
      description: 'Redis answers, but lets no worker sweep: nothing that is delayed, lost or retried moves.'
      runbook: docs/runbooks/SignalsNoSweep.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsNoSweep.md
{{- end }}
  - alert: SignalsNoOutcomes
    expr: max without (instance, pod) (signals_waiting{ {{ $narrow }} }) > 0 and max without (instance, pod) (signals_oldest_free_due_seconds{ {{ $narrow }} }) > 0 unless sum without (instance, pod, outcome) (rate(signals_latency_seconds_count{ {{ $narrow }} }[5m])) > 0
    for: 5m
    labels:
      severity: critical
    annotations:
      summary: Signals wait and none ends
      description: '{{ "{{" }} $value }} signals wait, and none has ended for 5 minutes.'
      runbook: docs/runbooks/SignalsNoOutcomes.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsNoOutcomes.md
{{- end }}
  - alert: SignalsLanesStuck
    expr: max without (instance, pod) (signals_oldest_ring_seconds{ {{ $narrow }} }) > {{ $.Values.monitoring.rules.thresholds.lostRingSeconds }}
    for: 1m
    labels:
      severity: critical
    annotations:
      summary: Lanes were rung and nobody takes them
      description: A lane has been rung for {{ "{{" }} $value | humanizeDuration }} without a worker taking it.
      runbook: docs/runbooks/SignalsLanesStuck.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsLanesStuck.md
{{- end }}
  - alert: SignalsCircuitOpen
    expr: max without (instance, pod) (signals_circuits_open{ {{ $narrow }} }) > 0
    for: 2m
    labels:
      severity: critical
    annotations:
      summary: The endpoint does not answer; posting is halted
      description: The circuit breaker lets but one probe at a time through.
      runbook: docs/runbooks/SignalsCircuitOpen.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsCircuitOpen.md
{{- end }}
  - alert: SignalsReloadFailing
    expr: max without (instance, pod) (signals_config_failing{ {{ $narrow }} }) > 0
    for: 5m
    labels:
      severity: warning
    annotations:
      summary: A changed file cannot be used
      description: The changed {{ "{{" }} $labels.file }} is broken; its former content stays in force.
      runbook: docs/runbooks/SignalsReloadFailing.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsReloadFailing.md
{{- end }}
  - alert: SignalsClockSkew
    expr: abs(signals_clock_skew_seconds{ {{ $narrow }} }) > {{ $.Values.monitoring.rules.thresholds.skewSeconds }}
    for: 5m
    labels:
      severity: warning
    annotations:
      summary: The clocks of a worker and Redis differ
      description: The clock of {{ "{{" }} $labels.instance }} and that of Redis are {{ "{{" }} $value | humanizeDuration }} apart.
      runbook: docs/runbooks/SignalsClockSkew.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsClockSkew.md
{{- end }}
- name: signals-redis
  rules:
  - alert: SignalsRedisDown
    expr: avg without (instance, pod) (signals_redis_up{ {{ $narrow }} }) < 1
    for: 1m
    labels:
      severity: critical
    annotations:
      summary: Redis cannot be reached
      description: Only {{ "{{" }} $value | humanizePercentage }} of the workers reach Redis.
      runbook: docs/runbooks/SignalsRedisDown.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsRedisDown.md
{{- end }}
  - alert: SignalsRedisRefusing
    expr: max without (instance, pod) (signals_redis_refusing{ {{ $narrow }} }) > 0
    for: 0m
    labels:
      severity: critical
    annotations:
      summary: Redis takes no signals
      description: 'It is full, or cannot write its append-only file: senders are refused, delayed signals stay.'
      runbook: docs/runbooks/SignalsRedisRefusing.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsRedisRefusing.md
{{- end }}
  - alert: SignalsLedgerLost
    expr: max without (instance, pod) (resets(signals_admitted_total{ {{ $narrow }} }[15m])) > 0
    for: 0m
    labels:
      severity: critical
    annotations:
      summary: Redis has forgotten signals
      description: 'Its count of admitted signals has fallen: it was emptied, or restored from an older state. What has come since is gone if it waited, and may be posted again if it was.'
      runbook: docs/runbooks/SignalsLedgerLost.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsLedgerLost.md
{{- end }}
  - alert: SignalsRedisMemory
    expr: max without (instance, pod) (signals_redis_memory_bytes{ {{ $narrow }} } / (signals_redis_memory_limit_bytes{ {{ $narrow }} } > 0)) > {{ $.Values.monitoring.rules.thresholds.memoryShare }}
    for: 5m
    labels:
      severity: warning
    annotations:
      summary: Redis is nearly full
      description: '{{ "{{" }} $value | humanizePercentage }} of maxmemory is in use; at 100 % no signal is taken.'
      runbook: docs/runbooks/SignalsRedisMemory.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsRedisMemory.md
{{- end }}
  - alert: SignalsRedisNoAppendOnly
    expr: max without (instance, pod) (signals_redis_aof_enabled{ {{ $narrow }} }) < 1
    for: 5m
    labels:
      severity: warning
    annotations:
      summary: Redis writes no append-only file
      description: If Redis restarts now, accepted signals are lost and posted ones may be posted again.
      runbook: docs/runbooks/SignalsRedisNoAppendOnly.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsRedisNoAppendOnly.md
{{- end }}
  - alert: SignalsRedisEvicting
    expr: max without (instance, pod) (signals_redis_evicting{ {{ $narrow }} }) > 0
    for: 0m
    labels:
      severity: critical
    annotations:
      summary: Redis may evict signals
      description: 'maxmemory-policy is not noeviction: a full Redis would drop signals and claims silently.'
      runbook: docs/runbooks/SignalsRedisEvicting.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsRedisEvicting.md
{{- end }}
- name: signals-gateway
  rules:
  - alert: SignalsGatewayAbsent
    expr: count without (instance, pod) (last_over_time(signals_gateway_waiting{ {{ $narrow }} }[6h])) unless count without (instance, pod) (signals_gateway_waiting{ {{ $narrow }} })
    for: 2m
    labels:
      severity: critical
    annotations:
      summary: The gateway is gone
      description: A gateway ran in the last hours and cannot be scraped any more; senders over HTTP are not heard.
      runbook: docs/runbooks/SignalsGatewayAbsent.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsGatewayAbsent.md
{{- end }}
  - alert: SignalsGatewayErrors
    expr: sum without (instance, pod, route, status) (rate(signals_gateway_requests_total{ {{ $narrow }}, status="5xx",route!~"livez|readyz|metrics|none"}[2m])) / (sum without (instance, pod, route, status) (rate(signals_gateway_requests_total{ {{ $narrow }}, route!~"livez|readyz|metrics|none"}[2m])) > 0) > {{ $.Values.monitoring.rules.thresholds.gatewayErrorShare }}
    for: 1m
    labels:
      severity: critical
    annotations:
      summary: The gateway answers with errors
      description: '{{ "{{" }} $value | humanizePercentage }} of requests are answered 5xx.'
      runbook: docs/runbooks/SignalsGatewayErrors.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsGatewayErrors.md
{{- end }}
  - alert: SignalsGatewaySlow
    expr: signals:gateway_request_duration_seconds:p99_5m{ {{ $narrow }} } > {{ $.Values.monitoring.rules.thresholds.gatewaySeconds }}
    for: 5m
    labels:
      severity: warning
    annotations:
      summary: The gateway answers slowly
      description: One answer in a hundred takes {{ "{{" }} $value | humanizeDuration }} or more; TradingView waits 3 s.
      runbook: docs/runbooks/SignalsGatewaySlow.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsGatewaySlow.md
{{- end }}
  - alert: SignalsInvalidRising
    expr: sum without (instance, pod) (increase(signals_gateway_admissions_total{ {{ $narrow }}, status="invalid"}[15m])) > {{ $.Values.monitoring.rules.thresholds.invalidSignals }}
    for: 0m
    labels:
      severity: warning
    annotations:
      summary: Many signals are refused as invalid
      description: '{{ "{{" }} printf "%.0f" $value }} signals in 15 minutes broke the contract and were not taken.'
      runbook: docs/runbooks/SignalsInvalidRising.md
{{- with $.Values.monitoring.rules.runbooks }}
      runbook_url: {{ trimSuffix "/" . }}/SignalsInvalidRising.md
{{- end }}
