"""The people of a fault run: registered in bulk, each with a phone of the practice network."""

from __future__ import annotations

from flask import Flask

from consular.clock import utc_now
from consular.domain.phone import read_phone
from consular.extensions import db
from consular.models.people import RegistrationSource
from consular.services.registration_imports import register_many
from consular.services.registrations import RegistrationData

SILENT = "+21896{:07d}"
"""Holders of these phones get receipts and say nothing of themselves (drill.numbers.STRANGERS)."""
EGYPTIAN = "+2010{:08d}"
ANSWERING = "+21891{:07d}"
_BATCH = 1000


def register(app: Flask, country: str, count: int, first: int, pattern: str = SILENT) -> None:
    """So many people in a country, their phones counted from `first`."""
    with app.app_context():
        for start in range(0, count, _BATCH):
            numbers = range(first + start, first + min(start + _BATCH, count))
            register_many([_data(country, pattern.format(number)) for number in numbers], utc_now())
        db.session.remove()


def _data(country: str, phone: str) -> RegistrationData:
    return RegistrationData(
        submission_key=f"faults-{phone}",
        full_name=f"Person {phone}",
        phone=read_phone(phone, (country, "IN")),
        email=None,
        home_country="IN",
        country=country,
        place=None,
        place_name="Somewhere",
        address=None,
        is_resident=True,
        from_date=None,
        until_date=None,
        language="en",
        people_count=1,
        consent_version="drill",
        source=RegistrationSource.IMPORT,
    )
