/* gate/dns.h: the resolver, as the configuration has it. Reads its files: before the sandbox closes. */
#pragma once
#include "config/config.h"
#include "net/resolver.h"

enum err dns_open(struct cx *cx, const struct config *config, struct resolver **out);
