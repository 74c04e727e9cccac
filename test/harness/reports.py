"""Reading a delivery report (RFC 3464) as its receiver would."""

import email
import email.policy


class Report:
    """Asserts the form every report must have, and gives its contents."""

    def __init__(self, octets):
        header = octets.partition(b"\r\n\r\n")[0]
        assert header.startswith(b"Return-Path: <>\r\n"), "a report has the null reverse-path"
        message = email.message_from_bytes(octets, policy=email.policy.default)
        assert message.get_content_type() == "multipart/report"
        assert message["From"] and message["To"] and message["Subject"] and message["Date"] and message["Message-ID"]
        assert message["MIME-Version"] == "1.0"
        assert message["Auto-Submitted"].startswith("auto-")  # RFC 3834
        parts = list(message.iter_parts())
        assert len(parts) == 3
        people, status, returned = parts
        assert people.get_content_type() == "text/plain"
        assert status.get_content_type() in ("message/delivery-status", "message/global-delivery-status")
        assert status.get_content_subtype() == message.get_param("report-type")  # RFC 6522 section 3
        assert returned.get_content_type() in ("message/rfc822", "text/rfc822-headers", "message/global",
                                               "message/global-headers")
        self.message = message
        self.text = people.get_content()
        blocks = [dict(block.items()) for block in self._blocks(status)]
        self.about_message, self.recipients = blocks[0], blocks[1:]
        self.has_only_header = returned.get_content_type().endswith("headers")

    @staticmethod
    def _blocks(status):
        """Python reads message/delivery-status; of its international sibling (RFC 6533) it knows only the text."""
        payload = status.get_payload(decode=True)
        if payload is None:
            return status.get_payload()
        texts = payload.replace(b"\r\n", b"\n").strip().split(b"\n\n")
        return [email.message_from_bytes(text, policy=email.policy.default) for text in texts]
        self.returned = returned.as_bytes().partition(b"\n\n")[2]
        assert "Reporting-MTA" in self.about_message and self.recipients
        for recipient in self.recipients:
            assert "Final-Recipient" in recipient and "Action" in recipient and "Status" in recipient

    def recipient(self, address):
        """The block of one recipient."""
        for block in self.recipients:
            if block["Final-Recipient"].lower().endswith(address.lower()):
                return block
        raise AssertionError(f"{address} is not in {self.recipients}")


def is_report(octets):
    return b"multipart/report" in octets.partition(b"\r\n\r\n")[0]
