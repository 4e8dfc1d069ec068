/* SPDX-License-Identifier: Apache-2.0 */
/* listing: what is in a folder, as octets that are hashed and compared whole: names with their stat keys.
 *
 * Ten thousand files of voice data are looked through at every Synchronization Interval; in Python each of
 * them is an object or two, and in the end nothing has changed.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* An entry: inode, size, mtime and ctime in ns (8 octets each, little-endian), length of the name (1), name.
 */
#define QX_LISTING_KEY   32
#define QX_LISTING_ENTRY 288 /* no entry is longer */

struct qx_listing;

struct qx_listing_part {
    uint8_t *files; /* the caller's room for regular files … */
    size_t files_room;
    uint8_t *others; /* … and for everything else: the low octet of the key's first word is 1 for a folder,
                        else 0 */
    size_t others_room;
    size_t files_length; /* what was written */
    size_t others_length;
    int64_t newest; /* the latest ctime among the files until now, ns */
};

/* The folder of that handle, from its beginning; the handle stays the caller's. NULL and errno. */
struct qx_listing *qx_listing_open(int handle);
/* The next entries, as many as there is room for (at least QX_LISTING_ENTRY each): 1, and 0 when there are no
 * more to come; -1 and errno. Links are not followed; what went since the folder was read is left out. */
int qx_listing_read(struct qx_listing *listing, struct qx_listing_part *part);
void qx_listing_close(struct qx_listing *listing);
