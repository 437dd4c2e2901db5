"""What Lync clients ask for beyond SIP: steps of SERVICE ([MS-PRES], [MS-SIP])."""
