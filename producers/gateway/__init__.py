"""The queue over HTTP: ``signal-producer gateway``.

    serve, protocol ──▶ access ──▶ app ──▶ webhook · v1 · health
                                           └──▶ auth, recipients, sources, limits ──▶ intake ──▶ aio

Needs the extra ``gateway``; nothing else of ``producers`` imports it.
"""
