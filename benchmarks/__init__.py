"""Speed, measured: several contenders, one machine, one run, interleaved. Ratios count, not seconds."""
