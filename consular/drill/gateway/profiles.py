"""How a practice gateway behaves: the network's delays and losses, and the faults it shows to its clients."""

from dataclasses import dataclass, field
from enum import StrEnum

from consular.drill import scenario
from consular.drill.behaviour import Intent, Line, Rates, SecondText


class Fault(StrEnum):
    """One way in which a create request goes wrong; "after" means the text was accepted all the same."""

    TOO_MANY = "429"
    TOO_MANY_FOR_LONG = "429_long"
    ERROR_BEFORE = "500_before"
    ERROR_AFTER = "500_after"
    UNAVAILABLE = "503_before"
    HANG_BEFORE = "hang_before"
    HANG_AFTER = "hang_after"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    TRUNCATED_AFTER = "truncated_after"
    HTML_AFTER = "html_after"
    WRONG_SID_AFTER = "wrong_sid_after"
    REDIRECT = "redirect"
    SUSPENDED = "suspended"
    NO_ACCESS = "20003"
    NO_PERMISSION = "21408"

    @property
    def is_accepted(self) -> bool:
        """Whether the text goes out although the client is not told so."""
        return self.value.endswith("_after")


@dataclass(frozen=True, slots=True)
class Network:
    """What happens between the gateway and the phones and on the way back: shares in [0, 1], seconds of real time."""

    sent_seconds: tuple[float, float] = (1.0, 5.0)
    delivered_seconds: tuple[float, float] = (3.0, 120.0)
    failed_seconds: tuple[float, float] = (60.0, 1_800.0)
    lost_callback: float = 0.0
    doubled_callback: float = 0.0
    reordered: float = 0.0
    early_callback: float = 0.0
    contradicting: float = 0.0


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of practice gateway. `rates` None: nobody lives behind it, texts are accepted and that is all.

    list_lag_seconds (of the clock on the wall): how long a new message stays out of the list; math.inf for ever.
    """

    name: str
    rates: Rates | None
    network: Network = field(default_factory=Network)
    faults: dict[Fault, float] = field(default_factory=dict)
    list_lag_seconds: float = 0.0


_EVERYONE_SAFE = Rates(
    lines=((Line.REACHED, 1.0),),
    intents=((Intent.SAFE, 1.0),),
    languages=(("en", 0.4), ("hi", 0.4), ("ar", 0.1), ("fr", 0.1)),
    second_texts=((SecondText.NONE, 1.0),),
)
_REAL_NETWORK = Network(
    lost_callback=0.01,
    doubled_callback=0.03,
    reordered=0.02,
    early_callback=0.01,
    contradicting=0.001,
)
AMBIGUOUS_SHARE = 0.002


def profile(name: str, *, cut_east: bool = False) -> Profile:
    """The profile of that name: "lean", "perfect", or a scenario's. Raises ValueError that lists the names there are.

    A scenario's profile adds a small assumed share of 500 answers after acceptance, so that every drill resolves some
    `unknown`. `cut_east`: the mobile network in the east is down for the whole drill.
    """
    if name == "lean":
        return Profile("lean", None)
    if name == "perfect":
        return Profile("perfect", _EVERYONE_SAFE)
    if name not in scenario.names():
        raise ValueError(
            f"There is no profile {name!r}; choose from {', '.join(['lean', 'perfect', *scenario.names()])}"
        )
    chosen = scenario.load(name)
    rates = chosen.rates_with_east_cut() if cut_east else chosen.rates
    return Profile(name, rates, _REAL_NETWORK, {Fault.ERROR_AFTER: AMBIGUOUS_SHARE})
