"""Speed, measured: several contenders, one machine, one run, interleaved. Ratios count, not seconds.

scenarios ──▶ stage (server, sink, meters) ──▶ contenders
    └──▶ samples ──▶ goals ──▶ report, plot
"""
