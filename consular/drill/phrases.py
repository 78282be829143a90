"""What citizens write: made-up texts in their languages, each filed under what its writer means."""

from consular.drill.behaviour import Intent
from consular.drill.dice import choose

SHORT: dict[tuple[Intent, str], tuple[str, ...]] = {
    (Intent.SAFE, "en"): ("1", "1", "safe", "Safe", "SAFE", "1 safe"),
    (Intent.SAFE, "fr"): ("1", "en sécurité", "1 en sécurité"),
    (Intent.SAFE, "ar"): ("1", "١", "بخير", "أنا بخير", "ana bikhair"),
    (Intent.SAFE, "hi"): ("1", "1", "१", "सुरक्षित", "surakshit", "safe"),
    (Intent.NEEDS_HELP, "en"): ("2", "2", "need help", "help", "HELP", "2 need help"),
    (Intent.NEEDS_HELP, "fr"): ("2", "besoin d'aide", "2 aide"),
    (Intent.NEEDS_HELP, "ar"): ("2", "٢", "أحتاج مساعدة", "ساعدوني", "musaada"),
    (Intent.NEEDS_HELP, "hi"): ("2", "2", "२", "मदद चाहिए", "madad chahiye", "help"),
    (Intent.NOT_THERE, "en"): ("3", "3", "3 not there", "not there"),
    (Intent.NOT_THERE, "fr"): ("3", "3 pas en Libye"),
    (Intent.NOT_THERE, "ar"): ("3", "٣", "لست في ليبيا"),
    (Intent.NOT_THERE, "hi"): ("3", "३", "लीबिया में नहीं"),
}
LONG: dict[tuple[Intent, str], tuple[str, ...]] = {
    (Intent.SAFE, "en"): ("I am safe", "we are safe at the camp", "i am safe thank you sir", "All safe here."),
    (Intent.SAFE, "fr"): ("Je suis en sécurité", "Nous sommes en sécurité, merci"),
    (Intent.SAFE, "ar"): ("أنا بخير والحمد لله", "نحن بخير", "ana bikhair alhamdulillah"),
    (Intent.SAFE, "hi"): ("मैं सुरक्षित हूँ", "हम सब सुरक्षित हैं", "main surakshit hoon", "hum sab theek hain"),
    (Intent.NEEDS_HELP, "en"): (
        "Please help us, no food since two days",
        "need help, my friend is injured",
        "we are safe but no water here, please help",
        "shooting near our building send help",
        "Passport is with company, need help to leave",
    ),
    (Intent.NEEDS_HELP, "fr"): ("Aidez-nous, nous n'avons plus d'eau", "J'ai besoin d'aide, un blessé ici"),
    (Intent.NEEDS_HELP, "ar"): ("نحتاج مساعدة لا يوجد ماء", "ساعدونا من فضلكم", "mehtaj musaada min fadlak"),
    (Intent.NEEDS_HELP, "hi"): (
        "मदद करो, खाना नहीं है",
        "हमें मदद चाहिए, एक आदमी घायल है",
        "madad karo khana nahi hai",
        "humko bachao, goli chal rahi hai",
    ),
    (Intent.NOT_THERE, "en"): ("I am not in Libya", "I left Libya last week", "already back in India"),
    (Intent.NOT_THERE, "fr"): ("Je ne suis plus en Libye", "J'ai déjà quitté la Libye"),
    (Intent.NOT_THERE, "ar"): ("أنا لست في ليبيا", "سافرت من ليبيا"),
    (Intent.NOT_THERE, "hi"): ("मैं लीबिया में नहीं हूँ", "main India aa gaya hoon", "main libya mein nahi hoon"),
    (Intent.UNCLEAR, "en"): (
        "who is this?",
        "safe? don't know",
        "maybe",
        "when is the ship",
        "Company says wait. What to do?",
        "ok",
        "1 or 2",
        "not sure if safe",
        "Fwd: SEATS TO MALTA 400 USD each pay Mr Karim today 0921234567 - is this true?",
    ),
    (Intent.UNCLEAR, "fr"): ("qui est-ce ?", "peut-être en sécurité", "c'est quand le bateau"),
    (Intent.UNCLEAR, "ar"): ("من هذا؟", "لا أعرف", "متى السفينة"),
    (Intent.UNCLEAR, "hi"): ("कौन है?", "पता नहीं सुरक्षित या नहीं", "jahaz kab aayega", "company bolti hai ruko", "👍"),
    (Intent.WRONG_PERSON, "en"): ("wrong number", "You have the wrong person"),
    (Intent.WRONG_PERSON, "fr"): ("mauvais numéro", "vous vous trompez de numéro"),
    (Intent.WRONG_PERSON, "ar"): ("الرقم غلط", "رقم خطأ"),
    (Intent.WRONG_PERSON, "hi"): ("गलत नंबर", "wrong number", "galat number"),
    (Intent.OPT_OUT, "en"): ("STOP", "stop"),
    (Intent.OPT_OUT, "fr"): ("STOP", "Stop"),
    (Intent.OPT_OUT, "ar"): ("STOP",),
    (Intent.OPT_OUT, "hi"): ("STOP", "Stop"),
}
_SHORT_SHARE = 0.6


def phrase(intent: Intent, language: str, wording: float, count: int | None = None) -> str:
    """A text for what somebody means. `wording` in [0, 1) chooses it; a count comes after a short one."""
    short = SHORT.get((intent, language))
    if short is not None and (count is not None or wording < _SHORT_SHARE):
        text = choose(short, wording if count is not None else wording / _SHORT_SHARE)
        return text if count is None else f"{text} {count}"
    long = LONG[intent, language]
    return choose(long, wording if short is None else (wording - _SHORT_SHARE) / (1 - _SHORT_SHARE))
