/* SPDX-License-Identifier: Apache-2.0 */
#include "listing.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct qx_listing {
    DIR *folder;
    int64_t newest;
};

struct qx_listing *qx_listing_open(int handle) {
    struct qx_listing *listing = calloc(1, sizeof *listing);
    /* Opened anew: a duplicate would share the place that the handle's reader has reached. */
    int own = listing ? openat(handle, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (own >= 0 && (listing->folder = fdopendir(own)))
        return listing;
    int error = errno;
    if (own >= 0)
        close(own);
    free(listing);
    errno = error;
    return NULL;
}

void qx_listing_close(struct qx_listing *listing) {
    closedir(listing->folder);
    free(listing);
}

static int64_t ns(struct timespec time) {
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static size_t put(uint8_t *out, const uint64_t key[4], const char *name) {
    size_t length = strlen(name); /* at most 255: NAME_MAX */
    for (int i = 0; i < 4; i++) {
        uint64_t word = htole64(key[i]);
        memcpy(out + 8 * i, &word, sizeof word);
    }
    out[QX_LISTING_KEY] = (uint8_t)length;
    memcpy(out + QX_LISTING_KEY + 1, name, length);
    return QX_LISTING_KEY + 1 + length;
}

int qx_listing_read(struct qx_listing *listing, struct qx_listing_part *part) {
    part->files_length = part->others_length = 0;
    int more = 1;
    while (part->files_length + QX_LISTING_ENTRY <= part->files_room &&
           part->others_length + QX_LISTING_ENTRY <= part->others_room) {
        errno = 0;
        struct dirent *entry = readdir(listing->folder);
        if (!entry) {
            more = errno ? -1 : 0;
            break;
        }
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        struct stat found;
        if (fstatat(dirfd(listing->folder), name, &found, AT_SYMLINK_NOFOLLOW)) {
            if (errno == ENOENT)
                continue;
            more = -1;
            break;
        }
        if (S_ISREG(found.st_mode)) {
            int64_t changed = ns(found.st_ctim);
            uint64_t key[4] = {found.st_ino, (uint64_t)found.st_size, (uint64_t)ns(found.st_mtim),
                               (uint64_t)changed};
            part->files_length += put(part->files + part->files_length, key, name);
            if (changed > listing->newest)
                listing->newest = changed;
        } else {
            uint64_t key[4] = {S_ISDIR(found.st_mode), 0, 0, 0};
            part->others_length += put(part->others + part->others_length, key, name);
        }
    }
    part->newest = listing->newest;
    return more;
}
