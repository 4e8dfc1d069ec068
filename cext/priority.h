/* SPDX-License-Identifier: Apache-2.0 */
/* priority: with which priority a unit of a pair advertises, so that the one that was Master stays it.
 *
 * The RFCs let the higher address win where two Masters of equal priority meet (RFC 3768 6.4.3), and a pair
 * without preemption has equal priorities. A pair wants the incumbent instead. So a Master's priority says
 * by what right it holds the seat, and a better right wins when a split heals:
 *
 *   254  confirmed: its peer was seen as its active Backup, or it was given the role (priority 0, swap)
 *   253  taken over: the Master fell silent
 *   240-252  found nobody when it started listening: one more each time its age doubles from 30 s, so that
 *        of two such Masters the one in office longer wins (252 after 17 hours)
 *   239  the same, after it had been a Backup when its link was lost: a switch that restarts gives both
 *        units their link back, and the old Master goes first
 *
 * A listener has 253 throughout: only its timers use it, and at 253 a release is followed within 11.7 ms
 * in version 2 (RFC 3768 6.1, Skew_Time).
 */
#pragma once
#include <stdint.h>

#define QX_PRIORITY_LISTENER    253
#define QX_PRIORITY_CONFIRMED   254
#define QX_PRIORITY_TAKEOVER    253
#define QX_PRIORITY_STARTUP_MAX 252
#define QX_PRIORITY_STARTUP     240
#define QX_PRIORITY_RETURNED    239

/* The right by which a Master holds its seat. */
enum qx_seat { QX_SEAT_NONE, QX_SEAT_RETURNED, QX_SEAT_STARTUP, QX_SEAT_TAKEOVER, QX_SEAT_CONFIRMED };

/* The priority of a Master in that seat for `age` ns; of a listener for QX_SEAT_NONE. */
uint8_t qx_priority(int seat, int64_t age);
