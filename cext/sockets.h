/* SPDX-License-Identifier: Apache-2.0 */
/* sockets: what the engine hears and speaks through, made for one setup. */
#pragma once
#include "setup.h"

/* Opens them all, or none and says why in `error`. */
int qx_sockets_open(struct qx_setup *setup, char *error);
void qx_sockets_close(struct qx_setup *setup);
