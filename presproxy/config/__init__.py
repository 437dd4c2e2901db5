"""The configuration: presproxy.toml and options into one checked, frozen value."""

from presproxy.config.plan import Plan, make_plan, prepare
from presproxy.config.read import load
from presproxy.config.values import (
    CommandLine,
    Configuration,
    Limits,
    LyncOptions,
    Machine,
    ProxyOptions,
    TransportOptions,
)

__all__ = [
    "CommandLine",
    "Configuration",
    "Limits",
    "LyncOptions",
    "Machine",
    "Plan",
    "ProxyOptions",
    "TransportOptions",
    "load",
    "make_plan",
    "prepare",
]
