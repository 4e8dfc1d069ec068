/* SPDX-License-Identifier: Apache-2.0 */
/* probe: is an address free on the link? Address conflict detection of RFC 5227 2.1.1. Pure: time goes in.
 *
 * Three ARP probes (sender address 0) and a wait; any ARP packet from another station whose sender address
 * is the one probed is a conflict, and so is its probe for the same address, unless the caller says that
 * several stations may rightly probe for it (the units of a group for their service address).
 * The RFC's intervals (1-2 s) are for links of unknown delay; on the wired LAN of a telephone system three
 * probes within 0.6 s and 0.4 s of waiting reach every host that is up, and a unit starts 4 s earlier.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum qx_probe_state { QX_PROBE_IDLE, QX_PROBE_RUNNING, QX_PROBE_CLEAR, QX_PROBE_CONFLICT };

struct qx_probe {
    uint32_t address; /* host order */
    bool shared;      /* other probes for it are no conflict */
    uint8_t state;    /* enum qx_probe_state */
    uint8_t sent;
    int64_t due;       /* next probe, end of the wait, or the next attempt after a conflict; 0: none */
    uint8_t holder[6]; /* of a conflict: who answered */
};

/* `spread` (ns, random up to 0.2 s) keeps units that boot together from probing in step. */
void qx_probe_start(struct qx_probe *probe, uint32_t address, bool shared, int64_t now, int64_t spread);
void qx_probe_stop(struct qx_probe *probe);
/* True where a probe must be sent now. Moves on to CLEAR when the wait is over, and starts again 10 s after
 * a conflict. */
bool qx_probe_timer(struct qx_probe *probe, int64_t now);
/* An ARP packet was heard from station `mac`: its sender and target address. True where it made a conflict.
 */
bool qx_probe_heard(struct qx_probe *probe, int64_t now, uint32_t sender, uint32_t target,
                    const uint8_t mac[6]);
