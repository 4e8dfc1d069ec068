# SPDX-License-Identifier: Apache-2.0
"""gateways: the requests of well-known SMS gateways, as their public documentation has them (R35). Data only.

Braces are places that are filled in, as in `sms.*`. What was checked is said at each.
"""

from __future__ import annotations

from typing import NamedTuple

OTHER = "other"  # none of them: the request is the settings' alone
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


class Gateway(NamedTuple):
    title: str
    url: str
    content_type: str
    body: str
    user: str  # what it calls sms.user
    password: str
    headers: str = ""
    success: str = ""
    method: str = "post"


GATEWAYS = {
    # docs/usage/api and the Messages resource: basic authentication, numbers as E.164 with +, 201 when it is
    # queued, 4xx with a JSON error otherwise.
    "twilio": Gateway(
        "Twilio", "https://api.twilio.com/2010-04-01/Accounts/{user}/Messages.json", FORM,
        "To={number}&From={sender}&Body={text}", "Account SID", "Auth Token",
    ),
    # developer.vonage.com, SMS API: numbers without + or 00, which it does not take away itself; 200 even for
    # what it refuses, and "0" as the status of what it took.
    "vonage": Gateway(
        "Vonage", "https://rest.nexmo.com/sms/json", FORM,
        "api_key={user}&api_secret={password}&to={digits}&from={sender}&text={text}", "API key",
        "API secret", success='"status":"0"',
    ),
    # developers.sinch.com, SMS batches: a token, 201 when queued. Its region `eu` and others: sms.url.
    "sinch": Gateway(
        "Sinch", "https://us.sms.api.sinch.com/xms/v1/{user}/batches", JSON,
        '{"from":"{sender}","to":["{number}"],"body":"{text}"}', "service plan ID", "API token",
        headers="Authorization: Bearer {password}",
    ),
}  # fmt: skip
