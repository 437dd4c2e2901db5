"""The plugins that come with presproxy."""

from __future__ import annotations

from presproxy.extend.maker import PluginMaker

open_authenticator = PluginMaker(
    kind="auth",
    name="open",
    target="presproxy.auth.open:OpenAuthenticator",
    summary="Believes everybody to be who the From field says.",
)
digest_authenticator = PluginMaker(
    kind="auth",
    name="digest",
    target="presproxy.auth.digest:DigestAuthenticator",
    summary="Asks for a password by HTTP Digest (RFC 8760), from a file of users.",
)
ntlm_authenticator = PluginMaker(
    kind="auth",
    name="ntlm",
    target="presproxy.auth.ntlm:NtlmAuthenticator",
    summary="Asks Lync clients for a password by NTLM, and signs what they are told.",
)
kerberos_authenticator = PluginMaker(
    kind="auth",
    name="kerberos",
    target="presproxy.auth.kerberos:KerberosAuthenticator",
    summary="Asks Lync clients for a ticket, and signs what they are told "
    "(presproxy[kerberos]).",
)
tls_authenticator = PluginMaker(
    kind="auth",
    name="tls",
    target="presproxy.auth.tls:TlsAuthenticator",
    summary="Believes who has a certificate, where one is asked for by TLS.",
)
trusted_authenticator = PluginMaker(
    kind="auth",
    name="trusted",
    target="presproxy.auth.trusted:TrustedAuthenticator",
    summary="Believes neighbours who say whom they have asked for a password (RFC 3325).",
)

open_acl = PluginMaker(
    kind="acl",
    name="open",
    target="presproxy.acl.open:OpenACL",
    summary="Lets everybody see everybody.",
)
containers_acl = PluginMaker(
    kind="acl",
    name="containers",
    target="presproxy.acl.containers:ContainersACL",
    summary="Obeys the containers that each user's Lync clients put watchers into.",
)
contacts_acl = PluginMaker(
    kind="acl",
    name="contacts",
    target="presproxy.acl.contacts:ContactsACL",
    summary="Obeys each user's list of who is allowed, blocked or politely blocked.",
)

memory_storage = PluginMaker(
    kind="storage",
    name="memory",
    target="presproxy.storage.memory:MemoryStorage",
    summary="Keeps everything in memory, until the process ends.",
)
sqlite_storage = PluginMaker(
    kind="storage",
    name="sqlite",
    target="presproxy.storage.sqlite:SqliteStorage",
    summary="Keeps everything in one file; what was answered survives a crash.",
)

sip_notifier = PluginMaker(
    kind="notifier",
    name="sip",
    target="presproxy.notify.sip:SipNotifier",
    summary="Sends NOTIFY requests to whoever subscribed by SIP.  Always there.",
)

presence_package = PluginMaker(
    kind="package",
    name="presence",
    target="presproxy.packages.presence:PresencePackage",
    summary="Presence (RFC 3856): who is available, as PIDF documents.",
)
roaming_self_package = PluginMaker(
    kind="package",
    name="vnd-microsoft-roaming-self",
    target="presproxy.packages.roaming_self:RoamingSelfPackage",
    summary="What a Lync user publishes and for whom, as his own endpoints see it.",
)
roaming_contacts_package = PluginMaker(
    kind="package",
    name="vnd-microsoft-roaming-contacts",
    target="presproxy.packages.roaming_contacts:RoamingContactsPackage",
    summary="A user's own contact list, for his Lync clients and those like them.",
)
roaming_acl_package = PluginMaker(
    kind="package",
    name="vnd-microsoft-roaming-acl",
    target="presproxy.packages.roaming_acl:RoamingAclPackage",
    summary="Whom a user lets see him, for his clients of 2005.",
)
wpending_package = PluginMaker(
    kind="package",
    name="presence.wpending",
    target="presproxy.packages.wpending:WpendingPackage",
    summary="Who added a user and waits for his answer, for his clients of 2005.",
)
provisioning_package = PluginMaker(
    kind="package",
    name="vnd-microsoft-provisioning",
    target="presproxy.packages.provisioning:ProvisioningPackage",
    summary="Settings for Lync clients of 2005: there are none.",
)
provisioning_v2_package = PluginMaker(
    kind="package",
    name="vnd-microsoft-provisioning-v2",
    target="presproxy.packages.provisioning:ProvisioningV2Package",
    summary="Settings for Lync clients, group by group: there are none.",
)
winfo_package = PluginMaker(
    kind="package",
    name="presence.winfo",
    target="presproxy.packages.winfo:WinfoPackage",
    summary="Watcher information (RFC 3857): who watches whose presence.",
)
dialog_package = PluginMaker(
    kind="package",
    name="dialog",
    target="presproxy.packages.dialog:DialogPackage",
    summary="Lamps (RFC 4235): who is on the phone, as PBXs publish it.",
)
messages_package = PluginMaker(
    kind="package",
    name="message-summary",
    target="presproxy.packages.messages:MessagesPackage",
    summary="Mailboxes (RFC 3842): whether messages wait, as PBXs say.",
)
registration_package = PluginMaker(
    kind="package",
    name="reg",
    target="presproxy.packages.registration:RegistrationPackage",
    summary="Registrations (RFC 3680): where a user can be reached.",
)
opaque_package = PluginMaker(
    kind="package",
    name="opaque",
    target="presproxy.packages.opaque:OpaquePackage",
    summary="Any other event package: whatever was said last, as it stands.",
)

standard_aggregator = PluginMaker(
    kind="aggregator",
    name="standard",
    target="presproxy.packages.aggregator:StandardAggregator",
    summary="Makes one state of many as Lync's documentation shows it.",
)
