{{- /* Made by `make docs` from monitoring/; do not edit. */ -}}
{{- $narrow := printf "namespace=%q,release=%q" $.Release.Namespace $.Release.Name -}}
groups:
- name: signals-orders
  rules:
  - alert: SignalsUnknownOutcomes
    expr: max without (instance, pod) (signals_dead_letters{ {{ $narrow }}, reason="unknown"}) > 0
    for: 0m
    labels:
      severity: critical
    annotations:
      summary: Orders of unknown fate wait for a person
      description: '{{ "{{" }} $value }} signals may or may not have become orders. They are not posted again by themselves.'
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsUnknownOutcomes.md'
  - alert: SignalsFailedExits
    expr: sum without (reason) (max without (instance, pod) (signals_dead_exits{ {{ $narrow }}, reason!="unknown"})) > 0
    for: 0m
    labels:
      severity: critical
    annotations:
      summary: Exits or cancels did not reach the endpoint, or were refused
      description: '{{ "{{" }} $value }} closes or cancels ended without an order: positions may be open that should not be.'
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsFailedExits.md'
  - alert: SignalsOldestDueTooOld
    expr: max without (instance, pod) (signals_oldest_due_seconds{ {{ $narrow }} }) > {{ $.Values.monitoring.rules.thresholds.oldestDueSeconds }} unless sum without (scope) (max without (instance, pod) (signals_paused{ {{ $narrow }} })) > 0
    for: 1m
    labels:
      severity: critical
    annotations:
      summary: Signals that are due are not posted
      description: The longest waiting signal has been due for {{ "{{" }} $value | humanizeDuration }}; entries expire.
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsOldestDueTooOld.md'
  - alert: SignalsLate
    expr: signals:lateness_seconds:p99_5m{ {{ $narrow }} } > {{ $.Values.monitoring.rules.thresholds.lateSeconds }}
    for: 10m
    labels:
      severity: warning
    annotations:
      summary: First POSTs start late
      description: One signal in a hundred starts {{ "{{" }} $value | humanizeDuration }} or more after its due time.
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsLate.md'
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
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsErrorBudgetBurn.md'
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
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsErrorBudgetBurn.md'
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
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsErrorBudgetBurn.md'
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
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsErrorBudgetBurn.md'
  - alert: SignalsDeadLettersRising
    expr: sum without (reason) (max without (instance, pod) (signals_dead_letters{ {{ $narrow }}, reason!="unknown"})) - sum without (reason) (max without (instance, pod) (signals_dead_letters{ {{ $narrow }}, reason!="unknown"} offset 15m)) > {{ $.Values.monitoring.rules.thresholds.deadLetters }}
    for: 0m
    labels:
      severity: warning
    annotations:
      summary: Many signals end without an order
      description: '{{ "{{" }} $value }} more dead letters than 15 minutes ago (rejected, unsent, expired or invalid).'
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsDeadLettersRising.md'
  - alert: SignalsConflicts
    expr: max without (instance, pod) (increase(signals_conflicts_total{ {{ $narrow }} }[15m])) > 0
    for: 0m
    labels:
      severity: warning
    annotations:
      summary: An order id was used for two different orders
      description: '{{ "{{" }} $value | humanize }} signals in 15 minutes were refused: their id belongs to another order.'
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsConflicts.md'
  - alert: SignalsRefusedFull
    expr: max without (instance, pod) (increase(signals_full_total{ {{ $narrow }} }[15m])) > 0
    for: 0m
    labels:
      severity: warning
    annotations:
      summary: Signals are refused because too many of their connector wait
      description: '{{ "{{" }} $value | humanize }} signals in 15 minutes got the receipt `full` and were not taken.'
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsRefusedFull.md'
  - alert: SignalsConnectorSilent
    expr: sum without (instance, pod, outcome) (increase(signals_connector_outcomes_total{ {{ $narrow }}, connector!="other"}[1d] offset 2h)) > {{ $.Values.monitoring.rules.thresholds.usualOutcomes }} unless sum without (instance, pod, outcome) (increase(signals_connector_outcomes_total{ {{ $narrow }} }[2h])) > 0
    for: 5m
    labels:
      severity: warning
    annotations:
      summary: A connector that is usually busy is silent
      description: '{{ "{{" }} $labels.connector }} had no signal for 2 hours, after {{ "{{" }} $value | humanize }} in the day before.'
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsConnectorSilent.md'
  - alert: SignalsPaused
    expr: max without (instance, pod) (signals_paused{ {{ $narrow }} }) > 0
    for: 1h
    labels:
      severity: info
    annotations:
      summary: A pause has been on for an hour
      description: Signals are held back ({{ "{{" }} $labels.scope }}). Entries expire; a forgotten pause misses orders.
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsPaused.md'
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
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsWorkerAbsent.md'
  - alert: SignalsNoOutcomes
    expr: max without (instance, pod) (signals_waiting{ {{ $narrow }} }) > 0 unless sum without (instance, pod, outcome) (rate(signals_latency_seconds_count{ {{ $narrow }} }[5m])) > 0 unless sum without (scope) (max without (instance, pod) (signals_paused{ {{ $narrow }} })) > 0
    for: 5m
    labels:
      severity: critical
    annotations:
      summary: Signals wait and none ends
      description: '{{ "{{" }} $value }} signals wait, and none has ended for 5 minutes.'
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsNoOutcomes.md'
  - alert: SignalsLanesStuck
    expr: max without (instance, pod) (signals_oldest_ring_seconds{ {{ $narrow }} }) > {{ $.Values.monitoring.rules.thresholds.lostRingSeconds }}
    for: 1m
    labels:
      severity: critical
    annotations:
      summary: Lanes were rung and nobody takes them
      description: A lane has been rung for {{ "{{" }} $value | humanizeDuration }} without a worker taking it.
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsLanesStuck.md'
  - alert: SignalsCircuitOpen
    expr: max without (instance, pod) (signals_circuits_open{ {{ $narrow }} }) > 0
    for: 2m
    labels:
      severity: critical
    annotations:
      summary: The endpoint does not answer; posting is halted
      description: The circuit breaker lets but one probe at a time through, for 2 minutes now.
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsCircuitOpen.md'
  - alert: SignalsReloadFailing
    expr: max without (instance, pod) (signals_config_failing{ {{ $narrow }} }) > 0
    for: 5m
    labels:
      severity: warning
    annotations:
      summary: A changed file cannot be used
      description: The changed {{ "{{" }} $labels.file }} is broken; its former content stays in force.
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsReloadFailing.md'
  - alert: SignalsClockSkew
    expr: abs(signals_clock_skew_seconds{ {{ $narrow }} }) > {{ $.Values.monitoring.rules.thresholds.skewSeconds }}
    for: 5m
    labels:
      severity: warning
    annotations:
      summary: The clocks of a worker and Redis differ
      description: The clock of {{ "{{" }} $labels.instance }} and that of Redis are {{ "{{" }} $value | humanizeDuration }} apart.
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsClockSkew.md'
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
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsRedisDown.md'
  - alert: SignalsRedisMemory
    expr: max without (instance, pod) (signals_redis_memory_bytes{ {{ $narrow }} } / (signals_redis_memory_limit_bytes{ {{ $narrow }} } > 0)) > {{ $.Values.monitoring.rules.thresholds.memoryShare }}
    for: 5m
    labels:
      severity: warning
    annotations:
      summary: Redis is nearly full
      description: '{{ "{{" }} $value | humanizePercentage }} of maxmemory is in use; at 100 % no signal is taken.'
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsRedisMemory.md'
  - alert: SignalsRedisNoAppendOnly
    expr: max without (instance, pod) (signals_redis_aof_enabled{ {{ $narrow }} }) < 1
    for: 5m
    labels:
      severity: warning
    annotations:
      summary: Redis writes no append-only file
      description: If Redis restarts now, accepted signals are lost and posted ones may be posted again.
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsRedisNoAppendOnly.md'
  - alert: SignalsRedisEvicting
    expr: max without (instance, pod) (signals_redis_evicting{ {{ $narrow }} }) > 0
    for: 0m
    labels:
      severity: critical
    annotations:
      summary: Redis may evict signals
      description: 'maxmemory-policy is not noeviction: a full Redis would drop signals and claims silently.'
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsRedisEvicting.md'
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
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsGatewayAbsent.md'
  - alert: SignalsGatewayErrors
    expr: sum without (route, status) (signals:gateway_requests:rate5m{ {{ $narrow }}, status="5xx"}) / (sum without (route, status) (signals:gateway_requests:rate5m{ {{ $narrow }} }) > 0) > {{ $.Values.monitoring.rules.thresholds.gatewayErrorShare }}
    for: 2m
    labels:
      severity: critical
    annotations:
      summary: The gateway answers with errors
      description: '{{ "{{" }} $value | humanizePercentage }} of requests are answered 5xx.'
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsGatewayErrors.md'
  - alert: SignalsGatewaySlow
    expr: signals:gateway_request_duration_seconds:p99_5m{ {{ $narrow }} } > {{ $.Values.monitoring.rules.thresholds.gatewaySeconds }}
    for: 5m
    labels:
      severity: warning
    annotations:
      summary: The gateway answers slowly
      description: One answer in a hundred takes {{ "{{" }} $value | humanizeDuration }} or more; TradingView waits 3 s.
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsGatewaySlow.md'
  - alert: SignalsInvalidRising
    expr: sum without (instance, pod) (increase(signals_gateway_admissions_total{ {{ $narrow }}, status="invalid"}[15m])) > {{ $.Values.monitoring.rules.thresholds.invalidSignals }}
    for: 0m
    labels:
      severity: warning
    annotations:
      summary: Many signals are refused as invalid
      description: '{{ "{{" }} $value | humanize }} signals in 15 minutes broke the rules of the contract and were not taken.'
      runbook_url: '{{ $.Values.monitoring.rules.runbooks }}/SignalsInvalidRising.md'
