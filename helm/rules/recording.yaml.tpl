{{- /* Made by `make docs` from monitoring/; do not edit. */ -}}
{{- $narrow := printf "namespace=%q,release=%q" $.Release.Namespace $.Release.Name -}}
groups:
- name: signals-rates
  rules:
  - record: signals:outcomes:rate5m
    expr: sum without (instance, pod) (rate(signals_outcomes_total{ {{ $narrow }} }[5m]))
  - record: signals:posts:rate5m
    expr: sum without (instance, pod) (rate(signals_post_duration_seconds_count{ {{ $narrow }} }[5m]))
  - record: signals:retries:rate5m
    expr: sum without (instance, pod) (rate(signals_retries_total{ {{ $narrow }} }[5m]))
  - record: signals:admitted:rate5m
    expr: max without (instance, pod) (rate(signals_admitted_total{ {{ $narrow }} }[5m]))
  - record: signals:post_duration_seconds:p50_5m
    expr: histogram_quantile(0.5, sum without (instance, pod, verdict) (rate(signals_post_duration_seconds_bucket{ {{ $narrow }} }[5m])))
  - record: signals:post_duration_seconds:p99_5m
    expr: histogram_quantile(0.99, sum without (instance, pod, verdict) (rate(signals_post_duration_seconds_bucket{ {{ $narrow }} }[5m])))
  - record: signals:latency_seconds:p50_5m
    expr: histogram_quantile(0.5, sum without (instance, pod, outcome) (rate(signals_latency_seconds_bucket{ {{ $narrow }} }[5m])))
  - record: signals:latency_seconds:p99_5m
    expr: histogram_quantile(0.99, sum without (instance, pod, outcome) (rate(signals_latency_seconds_bucket{ {{ $narrow }} }[5m])))
  - record: signals:lateness_seconds:p50_5m
    expr: histogram_quantile(0.5, sum without (instance, pod) (rate(signals_lateness_seconds_bucket{ {{ $narrow }} }[5m])))
  - record: signals:lateness_seconds:p99_5m
    expr: histogram_quantile(0.99, sum without (instance, pod) (rate(signals_lateness_seconds_bucket{ {{ $narrow }} }[5m])))
  - record: signals:gateway_requests:rate5m
    expr: sum without (instance, pod) (rate(signals_gateway_requests_total{ {{ $narrow }} }[5m]))
  - record: signals:gateway_request_duration_seconds:p99_5m
    expr: histogram_quantile(0.99, sum without (instance, pod, route) (rate(signals_gateway_request_duration_seconds_bucket{ {{ $narrow }}, route!~"livez|readyz|metrics"}[5m])))
- name: signals-burn
  rules:
  - record: signals:failures:ratio_rate5m
    expr: sum without (instance, pod, outcome) (rate(signals_latency_seconds_count{ {{ $narrow }}, outcome=~"expired|unknown|unsent"}[5m])) / (sum without (instance, pod, outcome) (rate(signals_latency_seconds_count{ {{ $narrow }}, outcome=~"accepted|cancelled|expired|unknown|unsent"}[5m])) > 0)
  - record: signals:failures:ratio_rate30m
    expr: sum without (instance, pod, outcome) (rate(signals_latency_seconds_count{ {{ $narrow }}, outcome=~"expired|unknown|unsent"}[30m])) / (sum without (instance, pod, outcome) (rate(signals_latency_seconds_count{ {{ $narrow }}, outcome=~"accepted|cancelled|expired|unknown|unsent"}[30m])) > 0)
  - record: signals:failures:ratio_rate1h
    expr: sum without (instance, pod, outcome) (rate(signals_latency_seconds_count{ {{ $narrow }}, outcome=~"expired|unknown|unsent"}[1h])) / (sum without (instance, pod, outcome) (rate(signals_latency_seconds_count{ {{ $narrow }}, outcome=~"accepted|cancelled|expired|unknown|unsent"}[1h])) > 0)
  - record: signals:failures:ratio_rate2h
    expr: sum without (instance, pod, outcome) (rate(signals_latency_seconds_count{ {{ $narrow }}, outcome=~"expired|unknown|unsent"}[2h])) / (sum without (instance, pod, outcome) (rate(signals_latency_seconds_count{ {{ $narrow }}, outcome=~"accepted|cancelled|expired|unknown|unsent"}[2h])) > 0)
  - record: signals:failures:ratio_rate6h
    expr: sum without (instance, pod, outcome) (rate(signals_latency_seconds_count{ {{ $narrow }}, outcome=~"expired|unknown|unsent"}[6h])) / (sum without (instance, pod, outcome) (rate(signals_latency_seconds_count{ {{ $narrow }}, outcome=~"accepted|cancelled|expired|unknown|unsent"}[6h])) > 0)
  - record: signals:failures:ratio_rate1d
    expr: sum without (instance, pod, outcome) (rate(signals_latency_seconds_count{ {{ $narrow }}, outcome=~"expired|unknown|unsent"}[1d])) / (sum without (instance, pod, outcome) (rate(signals_latency_seconds_count{ {{ $narrow }}, outcome=~"accepted|cancelled|expired|unknown|unsent"}[1d])) > 0)
  - record: signals:failures:ratio_rate3d
    expr: sum without (instance, pod, outcome) (rate(signals_latency_seconds_count{ {{ $narrow }}, outcome=~"expired|unknown|unsent"}[3d])) / (sum without (instance, pod, outcome) (rate(signals_latency_seconds_count{ {{ $narrow }}, outcome=~"accepted|cancelled|expired|unknown|unsent"}[3d])) > 0)
