"""What this package has for presproxy; imported when presproxy looks for plugins."""

from presproxy.extend.maker import PluginMaker

office_hours = PluginMaker(
    kind="acl",
    name="office-hours",
    target="presproxy_example.office:OfficeHours",
    summary="Shows nobody at home outside office hours.",
)
