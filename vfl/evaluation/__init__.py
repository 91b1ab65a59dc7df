"""What scores are worth: metrics, intervals, thresholds, alerts and calibration."""
