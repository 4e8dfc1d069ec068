/* SPDX-License-Identifier: Apache-2.0 */
#include "journal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    enum qx_entry kind;
    const char *word;
} words[] = {{QX_ENTRY_SERVICE, "service"},
             {QX_ENTRY_VIRTUAL, "virtual"},
             {QX_ENTRY_LINK, "link"},
             {QX_ENTRY_SYSCTL, "sysctl"}};
enum { WORDS = sizeof words / sizeof words[0], PATH = 128 };

void qx_journal_add(struct qx_journal *journal, enum qx_entry kind, const char *name, const char *value) {
    size_t key = kind == QX_ENTRY_SYSCTL ? strcspn(value, "=") + 1 : strlen(value) + 1;
    for (int i = 0; i < journal->count; i++)
        if (journal->entries[i].kind == kind && strcmp(journal->entries[i].name, name) == 0 &&
            strncmp(journal->entries[i].value, value, key) == 0)
            return;
    if (journal->count == QX_JOURNAL_MAX)
        return;
    journal->entries[journal->count].kind = (uint8_t)kind;
    snprintf(journal->entries[journal->count].name, QX_NAME, "%s", name);
    snprintf(journal->entries[journal->count].value, QX_JOURNAL_VALUE, "%s", value);
    journal->count++;
}

void qx_journal_open(struct qx_journal *journal, const char *path) {
    snprintf(journal->path, sizeof journal->path, "%s", path);
    qx_journal_read(journal);
}

void qx_journal_read(struct qx_journal *journal) {
    char line[PATH];
    journal->count = 0;
    FILE *file = fopen(journal->path, "re");
    if (!file)
        return;
    while (fgets(line, sizeof line, file)) {
        char word[16], name[QX_NAME], value[QX_JOURNAL_VALUE];
        if (sscanf(line, "%15s %15s %47s", word, name, value) != 3)
            continue;
        for (int i = 0; i < WORDS; i++)
            if (strcmp(word, words[i].word) == 0)
                qx_journal_add(journal, words[i].kind, name, value);
    }
    fclose(file);
}

int qx_journal_save(const struct qx_journal *journal) {
    char text[QX_JOURNAL_MAX * (QX_NAME + QX_JOURNAL_VALUE + 12)], fresh[QX_JOURNAL_PATH + 8];
    size_t length = 0;
    for (int i = 0; i < journal->count; i++)
        for (int w = 0; w < WORDS; w++)
            if (words[w].kind == journal->entries[i].kind)
                length += (size_t)snprintf(text + length, sizeof text - length, "%s %s %s\n", words[w].word,
                                           journal->entries[i].name, journal->entries[i].value);
    snprintf(fresh, sizeof fresh, "%s.new", journal->path);
    int file = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0)
        return -errno;
    ssize_t written = write(file, text, length);
    int failed = written == (ssize_t)length ? 0 : -EIO;
    if (close(file) < 0 || (!failed && rename(fresh, journal->path) < 0))
        failed = -errno;
    return failed;
}

/* --- undoing -------------------------------------------------------------------------------------------- */

static int sysctl_path(char *path, const char *name, const char *key) {
    if (strchr(name, '/') || strchr(key, '/'))
        return -EINVAL;
    snprintf(path, PATH, "/proc/sys/net/ipv4/conf/%s/%s", name, key);
    return 0;
}

static int write_value(const char *path, const char *value) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    ssize_t written = write(file, value, strlen(value));
    int failed = written < 0 ? -errno : 0;
    close(file);
    return failed;
}

static void undo_address(const char *name, const char *value, struct qx_netlink *netlink) {
    struct qx_link link;
    struct in_addr parsed;
    char address[QX_JOURNAL_VALUE];
    snprintf(address, sizeof address, "%s", value);
    char *slash = strchr(address, '/');
    if (!slash)
        return;
    *slash = 0;
    if (inet_pton(AF_INET, address, &parsed) != 1 || qx_netlink_link(netlink, name, &link) < 0)
        return;
    struct qx_address stale = {
        .index = link.index, .address = ntohl(parsed.s_addr), .prefix = (uint8_t)atoi(slash + 1)};
    qx_netlink_address_remove(netlink, &stale);
}

static void undo_sysctl(const char *name, const char *value) {
    char path[PATH], key[QX_JOURNAL_VALUE];
    snprintf(key, sizeof key, "%s", value);
    char *equals = strchr(key, '=');
    if (!equals)
        return;
    *equals = 0;
    if (sysctl_path(path, name, key) == 0)
        write_value(path, equals + 1); /* the interface may be gone, and its setting with it */
}

void qx_journal_undo(struct qx_journal *journal, unsigned kinds, struct qx_netlink *netlink) {
    int kept = 0;
    for (int i = 0; i < journal->count; i++) {
        struct qx_link link;
        const char *name = journal->entries[i].name, *value = journal->entries[i].value;
        if (!(journal->entries[i].kind & kinds)) {
            journal->entries[kept++] = journal->entries[i];
            continue;
        }
        switch (journal->entries[i].kind) {
        case QX_ENTRY_SERVICE:
        case QX_ENTRY_VIRTUAL:
            undo_address(name, value, netlink);
            break;
        case QX_ENTRY_LINK:
            if (qx_netlink_link(netlink, name, &link) == 0 && link.index)
                qx_netlink_link_delete(netlink, link.index);
            break;
        case QX_ENTRY_SYSCTL:
            undo_sysctl(name, value);
            break;
        }
    }
    journal->count = kept;
}

int qx_sysctl_set(struct qx_journal *journal, const char *name, const char *key, const char *value) {
    char path[PATH], old[16], entry[QX_JOURNAL_VALUE];
    int failed = sysctl_path(path, name, key);
    if (failed)
        return failed;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    ssize_t got = read(file, old, sizeof old - 1);
    close(file);
    if (got <= 0)
        return -EIO;
    old[got] = 0;
    old[strcspn(old, "\n")] = 0;
    if (strcmp(old, value) == 0)
        return 0;
    if (journal) {
        snprintf(entry, sizeof entry, "%s=%s", key, old);
        qx_journal_add(journal, QX_ENTRY_SYSCTL, name, entry);
        failed = qx_journal_save(journal);
    }
    return failed ? failed : write_value(path, value);
}

int qx_ipv6_off(const char *name) {
    char path[PATH];
    if (strchr(name, '/'))
        return -EINVAL;
    snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
    int failed = write_value(path, "1");
    return failed == -ENOENT ? 0 : failed;
}
