"""Settings of the contract's property tests."""

from __future__ import annotations

from hypothesis import settings

# A busy machine is no reason to fail: the tests of speed measure on their own.
settings.register_profile("contract", deadline=None)
settings.load_profile("contract")
