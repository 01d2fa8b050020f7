"""Recording rules, alerts and dashboards as data, and what writes them into ``helm/``.

python -m monitoring            write them
python -m monitoring --check    fail if they are stale
"""
