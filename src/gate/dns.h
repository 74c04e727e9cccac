/* gate/dns.h: the resolver, as the configuration has it. The command line asks what that would be. */
#pragma once
#include "config/config.h"
#include "net/resolver.h"

/* What is listed lives in cx->arena. */
enum err dns_settings(struct cx *cx, const struct config *config, struct resolver_settings *out);
/* Reads its files: before the sandbox closes. */
enum err dns_open(struct cx *cx, const struct config *config, struct resolver **out);
