/* control/notify.h: telling systemd how we are (sd_notify(3)), in a few lines instead of its library. */
#pragma once

/* "READY=1" and its like. Nothing happens if nobody asked ($NOTIFY_SOCKET). */
void notify_system(const char *state);
void notify_reloading(void);
