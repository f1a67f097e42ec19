"""Simulated fields to try things on and to test against: rain alone, or several variables with a known joint law."""

from xdownscale.tutorial.atmosphere import Law, weather, weather_law
from xdownscale.tutorial.radar import rain

__all__ = ["Law", "rain", "weather", "weather_law"]
