"""Telephone numbers in the one way they are written between machines: E.164, '+441632960000'. Pure."""

import phonenumbers

REGION = "GB"  # whose national numbers are meant when a number begins without '+'


def e164(text: str, region: str = REGION) -> str:
    """The number in `text`, as people write it, in E.164: e164('01632 960 001') is '+441632960001'.

    `region` is the country (ISO 3166, two letters) of a number without '+'. Judged by length and country code alone,
    not by today's list of numbers in use: the numbers that Ofcom keeps for drama (01632 960xxx, 07700 900xxx) are
    numbers, and a register must not refuse a number that was given out after the list was printed.
    Raises ValueError, in words for the one who typed it, when it is no telephone number.
    """
    typed = text.strip()
    if not typed:
        raise ValueError("Enter a telephone number")
    try:
        number = phonenumbers.parse(typed, region)
    except phonenumbers.NumberParseException as error:
        raise ValueError(_WORDS.get(error.error_type, _NO_NUMBER)) from None
    if number.extension:
        raise ValueError("Enter a telephone number without an extension")
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise ValueError(_REASONS.get(reason, _NO_NUMBER))
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


_NO_NUMBER = "Enter a telephone number, like 01632 960 001, 07700 900 982 or +44 808 157 0192"
_TOO_SHORT = "The telephone number is too short: enter it with its area code, like 01632 960 001"
_TOO_LONG = "The telephone number is too long"
_NO_COUNTRY = "The telephone number begins with a country code that does not exist"
_WORDS = {
    phonenumbers.NumberParseException.INVALID_COUNTRY_CODE: _NO_COUNTRY,
    phonenumbers.NumberParseException.TOO_SHORT_AFTER_IDD: _TOO_SHORT,
    phonenumbers.NumberParseException.TOO_SHORT_NSN: _TOO_SHORT,
    phonenumbers.NumberParseException.TOO_LONG: _TOO_LONG,
}
_REASONS = {
    phonenumbers.ValidationResult.INVALID_COUNTRY_CODE: _NO_COUNTRY,
    phonenumbers.ValidationResult.TOO_SHORT: _TOO_SHORT,
    phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY: _TOO_SHORT,
    phonenumbers.ValidationResult.TOO_LONG: _TOO_LONG,
}
