/* SPDX-License-Identifier: Apache-2.0 */
/* admission: may a daemon run on this root? Asked before anything is changed. */
#pragma once

/* QX_EXIT_DONE, and `lock` holds run/qx/guardian.pid for as long as this process lives; otherwise the exit
 * code, and one line on stderr has said what was expected: a provisioned root, privilege, no other daemon. */
int qx_admission(const char *root, int *lock);
