"""People in a crisis."""
from datetime import datetime


def assessment_token(assessed_at: datetime | None) -> str:
    """What the assessment form was drawn from."""
    return assessed_at.isoformat() if assessed_at else "none"
