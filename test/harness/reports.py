"""Reading a delivery report (RFC 3464) as its receiver would."""

import base64
import email
import email.policy
import re


class Report:
    """Asserts the form every report must have, and gives its contents."""

    def __init__(self, octets):
        header = octets.partition(b"\r\n\r\n")[0]
        assert header.startswith(b"Return-Path: <>\r\n"), "a report has the null reverse-path"
        message = email.message_from_bytes(octets, policy=email.policy.default)
        assert message.get_content_type() == "multipart/report"
        assert message.get_param("report-type") in ("delivery-status", "global-delivery-status")  # RFC 6533
        assert message["From"] and message["To"] and message["Subject"] and message["Date"] and message["Message-ID"]
        assert message["MIME-Version"] == "1.0"
        assert message["Auto-Submitted"].startswith("auto-")  # RFC 3834
        parts = list(message.iter_parts())
        assert len(parts) == 3
        people, status, returned = parts
        assert people.get_content_type() == "text/plain"
        assert status.get_content_type() in ("message/delivery-status", "message/global-delivery-status")
        assert returned.get_content_type() in ("message/rfc822", "text/rfc822-headers", "message/global",
                                               "message/global-headers")
        self.message = message
        self.text = people.get_content()
        blocks = content(status).decode().replace("\r\n", "\n").strip().split("\n\n")
        self.about_message, *self.recipients = [fields(block) for block in blocks]
        self.has_only_header = returned.get_content_type().endswith("headers")
        self.returned = content(returned)
        assert "Reporting-MTA" in self.about_message and self.recipients
        for recipient in self.recipients:
            assert "Final-Recipient" in recipient and "Action" in recipient and "Status" in recipient

    def recipient(self, address):
        """The block of one recipient."""
        for block in self.recipients:
            if block["Final-Recipient"].lower().endswith(address.lower()):
                return block
        raise AssertionError(f"{address} is not in {self.recipients}")


def content(part):
    """What is in it, decoded: the types of RFC 6533 may be encoded, which the email package does not know."""
    body = part.as_bytes(policy=email.policy.default).partition(b"\n\n")[2]
    return base64.b64decode(body) if part["Content-Transfer-Encoding"] == "base64" else body


def fields(block):
    """{name: value} of one group of fields, unfolded."""
    lines = re.sub(r"\r?\n[ \t]+", " ", block).splitlines()
    return dict(re.split(r":\s*", line, 1) for line in lines)
