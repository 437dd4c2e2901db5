"""The documents of Lync's presence ([MS-PRES], [MS-SIP]): bytes to values and back."""
