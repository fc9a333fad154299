"""The web service: routes, the engine behind them, settings."""
