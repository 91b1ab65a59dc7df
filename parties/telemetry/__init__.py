"""What a party tells its operators: logs, metrics, progress and versions."""
