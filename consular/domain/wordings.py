"""The sentences we add to officers' texts and send as receipts, per language.

English and French keep to the GSM-7 alphabet (no ç, ê or ’), or a text would cost twice the parts. A receipt promises
nothing but that an officer reads. Digits are the answers: the gateway keeps YES, END, CANCEL, HELP and STOP for itself.
"""

from collections.abc import Mapping

EXERCISE = {"en": "EXERCISE", "fr": "EXERCICE", "ar": "تمرين", "hi": "अभ्यास"}

ANSWERS = {
    "en": "Reply 1 safe, 2 need help, 3 not there",
    "fr": "Répondez 1 en sécurité, 2 besoin d'aide, 3 pas sur place",
    "ar": "أجب: 1 بخير، 2 أحتاج مساعدة، 3 لست هناك",
    "hi": "उत्तर दें: 1 सुरक्षित, 2 मदद चाहिए, 3 वहाँ नहीं",
}

OR_LINK = {"en": ", or {link}", "fr": ", ou {link}", "ar": "، أو {link}", "hi": ", या {link}"}

LINK_ALONE = {
    "en": "Tell us how you are: {link}",
    "fr": "Dites-nous comment vous allez: {link}",
    "ar": "أخبرنا بحالك: {link}",
    "hi": "अपना हाल बताएँ: {link}",
}

RECEIPTS = {
    "SAFE": {
        "en": "Thank you. We have noted that you are safe. If that changes, reply 2.",
        "fr": "Merci. Nous avons noté que vous allez bien. Si cela change, répondez 2.",
        "ar": "شكرًا. سجلنا أنك بخير. إذا تغير ذلك فأرسل 2.",
        "hi": "धन्यवाद। हमने दर्ज किया कि आप सुरक्षित हैं। स्थिति बदले तो 2 भेजें।",
    },
    "NEEDS_HELP": {
        "en": "We have received your message that you need help. An officer will read it. "
        "Text us where you are and how many people are with you.",
        "fr": "Nous avons bien votre message: vous avez besoin d'aide. Un agent le lira. "
        "Écrivez-nous où vous vous trouvez et combien de personnes sont avec vous.",
        "ar": "وصلتنا رسالتك بأنك تحتاج إلى مساعدة. سيقرؤها موظف. اكتب لنا أين أنت وكم شخصًا معك.",
        "hi": "आपका संदेश मिला: आपको मदद चाहिए। एक अधिकारी इसे पढ़ेंगे। लिखें कि आप कहाँ हैं और साथ में कितने लोग हैं।",
    },
    "NOT_THERE": {
        "en": "Thank you. We have noted that you are not there. If that is wrong, reply 1 or 2.",
        "fr": "Merci. Nous avons noté que vous ne vous trouvez pas sur place. Si c'est une erreur, répondez 1 ou 2.",
        "ar": "شكرًا. سجلنا أنك لست هناك. إذا كان ذلك خطأ فأرسل 1 أو 2.",
        "hi": "धन्यवाद। हमने दर्ज किया कि आप वहाँ नहीं हैं। यह ग़लत हो तो 1 या 2 भेजें।",
    },
    "UNCLEAR": {
        "en": "We have received your message. An officer will read it. "
        "To be quick, reply 1 safe, 2 need help, 3 not there.",
        "fr": "Nous avons bien votre message. Un agent le lira. "
        "Pour aller plus vite, répondez 1 en sécurité, 2 besoin d'aide, 3 pas sur place.",
        "ar": "وصلتنا رسالتك وسيقرؤها موظف. للإسراع أرسل: 1 بخير، 2 أحتاج مساعدة، 3 لست هناك.",
        "hi": "आपका संदेश मिला। एक अधिकारी इसे पढ़ेंगे। जल्दी के लिए भेजें: 1 सुरक्षित, 2 मदद चाहिए, 3 वहाँ नहीं।",
    },
    "OPT_OUT": {
        "en": "This number will get no more texts from us. To get them again, text START.",
        "fr": "Ce numéro ne recevra plus nos messages. Pour les recevoir de nouveau, envoyez START.",
        "ar": "لن تصل رسائلنا بعد الآن إلى هذا الرقم. لاستقبالها من جديد أرسل START.",
        "hi": "इस नंबर पर अब हमारे संदेश नहीं आएँगे। फिर से पाने के लिए START भेजें।",
    },
    "OPT_IN": {
        "en": "This number will get our texts again.",
        "fr": "Ce numéro recevra de nouveau nos messages.",
        "ar": "ستصل رسائلنا إلى هذا الرقم من جديد.",
        "hi": "इस नंबर पर हमारे संदेश फिर से आएँगे।",
    },
    "WRONG_PERSON": {
        "en": "Thank you. We have noted that this number belongs to someone else.",
        "fr": "Merci. Nous avons noté que ce numéro appartient à une autre personne.",
        "ar": "شكرًا. سجلنا أن هذا الرقم لشخص آخر.",
        "hi": "धन्यवाद। हमने दर्ज किया कि यह नंबर किसी और का है।",
    },
}


def in_language(texts: Mapping[str, str], language: str) -> str:
    """The text in a language given as BCP-47 tag; only its primary subtag counts. Raises ValueError for another."""
    primary = language.partition("-")[0].lower()
    if primary not in texts:
        raise ValueError("not one of our languages")
    return texts[primary]
