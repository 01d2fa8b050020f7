"""A storm over the whole house, and a judge who reads afterwards what everybody says about it.

    plan, traffic ──▶ storm (server, pods, senders, endpoint, wires) ──▶ evidence ──▶ check ──▶ report

``make chaos`` runs it. A seed repeats the traffic and the plan of faults; which instruction a fault hits
is up to the machine, so two runs of one seed differ.
"""
