/* SPDX-License-Identifier: Apache-2.0 */
/* journal: what was put on the interfaces and what stood there before, in a file that survives a kill.
 *
 * A line an entry: `service|virtual IF ADDRESS/PREFIX`, `link NAME -`, `sysctl IF KEY=OLD`. It is written
 * before anything is changed, so whoever starts next can put back what a killed predecessor left.
 */
#pragma once
#include <stdint.h>

#include "netlink.h"

enum { QX_JOURNAL_MAX = 32, QX_JOURNAL_VALUE = 48, QX_JOURNAL_PATH = 256 };

enum qx_entry { QX_ENTRY_SERVICE = 1, QX_ENTRY_VIRTUAL = 2, QX_ENTRY_LINK = 4, QX_ENTRY_SYSCTL = 8 };

struct qx_journal {
    char path[QX_JOURNAL_PATH];
    int count;
    struct {
        uint8_t kind; /* enum qx_entry */
        char name[QX_NAME];
        char value[QX_JOURNAL_VALUE];
    } entries[QX_JOURNAL_MAX];
};

/* Reads the journal of that path. An absent file is an empty journal; a damaged line is passed over. */
void qx_journal_open(struct qx_journal *journal, const char *path);
/* Reads it again: another process has written it since. */
void qx_journal_read(struct qx_journal *journal);
int qx_journal_save(const struct qx_journal *journal);
/* Keeps the first value of a sysctl: that is the one to put back. */
void qx_journal_add(struct qx_journal *journal, enum qx_entry kind, const char *name, const char *value);
/* Undoes the entries of those kinds (an OR of enum qx_entry) and drops them. */
void qx_journal_undo(struct qx_journal *journal, unsigned kinds, struct qx_netlink *netlink);

/* Sets net.ipv4.conf.IF.KEY; before that the journal is saved with what stood there (NULL: an interface of
 * our own, which takes its settings with it). 0 or -errno. */
int qx_sysctl_set(struct qx_journal *journal, const char *name, const char *key, const char *value);
/* Ends IPv6 on an interface of our own; 0 as well where the kernel has none. */
int qx_ipv6_off(const char *name);
