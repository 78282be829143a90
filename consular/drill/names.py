"""Lists from which the names of made-up citizens are composed; any likeness to a living person is chance."""

from consular.drill.dice import choose

_GIVEN_NAMES = """
Aarti Abdul Ajay Akhil Amar Amina Anil Anita Anjali Arjun Arun Asha Ashok Ayesha Balwinder Beena Bhaskar Chandra
Deepa Deepak Dinesh Elizabeth Farhan Fatima Gagan Geeta Girish Gopal Gurpreet Hanif Harish Harpreet Imran Indira
Jacob Jaya Jignesh Jincy Jomon Kamal Karthik Kavita Kiran Lakshmi Lalita Leela Madhu Mahesh Manjeet Manoj Mariam
Meena Mohan Mohammed Mukesh Nasreen Naveen Neha Nitin Padma Pankaj Parveen Pooja Prakash Priya Rafiq Raju Rakesh
Ramesh Ravi Reena Rekha Sajid Salim Sandeep Sanjay Santosh Saroj Seema Shabana Shaji Shanti Shyam Sindhu Soniya
Sunil Suresh Swapna Thomas Usha Vandana Venkat Vijay Vikram Vinod Yusuf Zainab
"""
GIVEN = tuple(_GIVEN_NAMES.split())
_FAMILY_NAMES = """
Abraham Ahmed Ali Ansari Bano Bhatt Biju Chacko Chaudhary Chauhan Das Desai Devi Dhillon Dubey D'Souza Fernandes
Gaikwad George Ghosh Gill Gowda Gupta Hussain Iyer Jadhav Jain Jha Joseph Joshi Kadam Kapoor Kaur Khan Krishnan
Kulkarni Kumar Kumari Kurian Lal Mahato Malik Mathew Mehta Menon Mishra Mondal Nair Naidu Pandey Patel Patil Pillai
Prasad Qureshi Raj Rajan Ram Rao Rathod Rawat Reddy Roy Sahu Sarkar Seth Shah Shaikh Sharma Shetty Siddiqui Singh
Sinha Subramanian Thakur Thapa Tiwari Varghese Varma Verma Yadav
"""
FAMILY = tuple(_FAMILY_NAMES.split())
OTHER_FAMILY = ("Al-Gharyani", "Ben Salem", "El-Mahdi", "Dubois", "Haddad", "Trabelsi", "Zwai", "Moreau")

_INITIALS = "ABCDEGHJKLMNPRSTV"
_OTHER_FAMILY_SHARE = 0.015
_INITIAL_SHARE = 0.2


def compose(given: float, family: float, extra: float) -> str:
    """A name from three rolls in [0, 1); a few carry a family name of the host country or of a spouse."""
    first = choose(GIVEN, given)
    if extra < _OTHER_FAMILY_SHARE:
        return f"{first} {choose(OTHER_FAMILY, family)}"
    last = choose(FAMILY, family)
    if extra > 1 - _INITIAL_SHARE:
        return f"{first} {choose(tuple(_INITIALS), (1 - extra) / _INITIAL_SHARE)}. {last}"
    return f"{first} {last}"


def respell(name: str, roll: float) -> str:
    """The name as somebody else would write it down: order turned, initials only, capitals, or a letter off."""
    first, _, last = name.partition(" ")
    doubled = first.replace("ee", "i") if "ee" in first else first.replace("i", "ee", 1)
    return choose((f"{last} {first}", f"{first[0]}. {last}", name.upper(), f"{doubled} {last}"), roll)
