"""A server that speaks as Ollama or as an OpenAI-style server does, with a simulated machine behind it."""

from dragoman.engines.simulated import Faults
from dragoman.engines.simulated_mischief import read_mischief
from dragoman.engines.simulated_profiles import PROFILES, Profile, profile_named
from dragoman.simulator.app import Speech, create_app, running, serve

__all__ = [
    "PROFILES",
    "Faults",
    "Profile",
    "Speech",
    "create_app",
    "profile_named",
    "read_mischief",
    "running",
    "serve",
]
