/* mail/received.h: the trace fields (RFC 5321 §4.4). Pure; results are appended. */
#pragma once
#include "mail/address.h"

struct received {
    struct str
        helo; /* as the client said it; what is no domain or literal is written so that it is harmless */
    struct str client_name;    /* from the DNS, checked both ways; empty: not known */
    struct str client_address; /* 192.0.2.1 or 2001:db8::1, without brackets; empty: not by TCP */
    struct str by;             /* our host name */
    bool esmtp;                /* EHLO; else HELO */
    bool auth;                 /* RFC 3848: …A */
    bool utf8;                 /* RFC 6531 §4.3: UTF8SMTP… */
    struct str tls_version;    /* "TLSv1.3"; empty without TLS */
    struct str tls_cipher;
    struct str id;                       /* the message's id in log and trace */
    const struct mailbox *for_recipient; /* NULL with several recipients: nobody learns of the others */
    int64_t date_ms;
    int zone_minutes;
};

/* "Received: from … by … with … id … for <…>; date" in folded lines of at most 78 octets where the words allow it. */
void received_write(struct buf *out, const struct received *r);

/* ESMTPSA and its kin, from the IANA registry of mail transmission types. */
const char *received_protocol(const struct received *r);

/* What stands before the shared body in one recipient's email: Return-Path and Delivered-To. */
void delivery_prefix_write(struct buf *out, const struct mailbox *reverse_path,
                           struct str delivered_to);
bool is_delivery_field(struct str name); /* one of those, in any case */
