"""SMPP 3.4: texts through a national operator, over one long-lived bind, with no foreign provider in between.

The few PDUs an ESME needs are written here rather than taken from smpplib 2.2.4 (LGPL-3; blocking sockets, one
dict of fields per PDU, cuts surrogate and escape pairs between parts) or smpp34 (a compiled extension with its own
event loop): the codec is pure, typed and small, never raises anything but CodecError for what a stranger sends, and the
tests hold it against both libraries and against node-smpp. TLS is left to the line: operators offer a VPN, and
elsewhere stunnel beside the process gives a loopback address; settings.py refuses a bare line to a public address.
"""
