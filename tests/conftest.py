"""What all tests share: how hypothesis runs."""

from hypothesis import HealthCheck, settings

# A machine that other tests load is slow, not wrong.
settings.register_profile("queuectl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("queuectl")
