/* SPDX-License-Identifier: Apache-2.0 */
/* tell: the engine's events, for Python. */
#include <string.h>
#include <unistd.h>

#include "engine_state.h"

/* One writer (the engine), one reader (Python): two counters and no lock. */
void qx_tell(struct qx_engine *engine, const struct qx_event *event) {
    uint32_t in = atomic_load_explicit(&engine->events_in, memory_order_relaxed);
    uint32_t out = atomic_load_explicit(&engine->events_out, memory_order_acquire);
    engine->changed = true;
    if (in - out == QX_EVENTS) {
        engine->status.events_lost++;
        return;
    }
    engine->events[in % QX_EVENTS] = *event;
    atomic_store_explicit(&engine->events_in, in + 1, memory_order_release);
    uint64_t one = 1;
    (void)!write(engine->notify, &one, sizeof one); /* full means that it is readable already */
}

void qx_tell_conflict(struct qx_engine *engine, int64_t now, int probe, uint32_t address,
                      const uint8_t mac[6]) {
    struct qx_event event = {.kind = QX_EVENT_CONFLICT, .b = probe, .address = address, .at = now};
    memcpy(event.mac, mac, sizeof event.mac);
    qx_tell(engine, &event);
}
