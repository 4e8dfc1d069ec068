/* SPDX-License-Identifier: Apache-2.0 */
/* refuse: the sentence that says what failed and of what. */
#pragma once
#include <stdio.h>
#include <string.h>

#include "engine.h"

/* Writes "what name: reason" into `error` (QX_ERROR octets) and returns `code`, a negative errno. */
static inline int qx_refuse(char *error, int code, const char *what, const char *name) {
    snprintf(error, QX_ERROR, "%s %s: %s", what, name, strerror(-code));
    return code;
}
