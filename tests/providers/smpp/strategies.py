"""PDUs as hypothesis makes them up, within the lengths of the standard."""

from __future__ import annotations

from hypothesis import strategies as st

from consular.providers.smpp.pdus import Address, BindTransceiver, ShortMessage

octet = st.integers(0, 255)
ascii_sign = st.characters(min_codepoint=0x20, max_codepoint=0x7E)


def word(longest: int) -> st.SearchStrategy[str]:
    """An ASCII string with room for its NUL."""
    return st.text(ascii_sign, max_size=longest - 1)


def addresses() -> st.SearchStrategy[Address]:
    return st.builds(Address, st.integers(0, 6), st.sampled_from([0, 1, 3, 8, 9]), word(21))


def short_messages() -> st.SearchStrategy[ShortMessage]:
    moment = st.sampled_from(["", "000000010000000R", "261121120000000+"])
    return st.builds(
        ShortMessage,
        source=addresses(),
        destination=addresses(),
        short_message=st.binary(max_size=254),
        esm_class=octet,
        data_coding=octet,
        registered_delivery=octet,
        validity_period=moment,
        schedule_delivery_time=moment,
        service_type=word(6),
        protocol_id=octet,
        priority_flag=octet,
        replace_if_present_flag=octet,
        sm_default_msg_id=octet,
        tlvs=st.lists(st.tuples(st.integers(0x1400, 0x3FFF), st.binary(max_size=300)), max_size=4).map(tuple),
    )


def binds() -> st.SearchStrategy[BindTransceiver]:
    return st.builds(
        BindTransceiver,
        system_id=word(16),
        password=word(9),
        system_type=word(13),
        interface_version=octet,
        addr_ton=octet,
        addr_npi=octet,
        address_range=word(41),
    )
