"""Where dropins are found: ours, and any module in a ``presproxy/plugins`` folder on the path."""

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))
__all__: list[str] = []
