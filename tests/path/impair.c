/* SPDX-License-Identifier: GPL-3.0-or-later
 * What happens to a frame: fate when it comes (lost, duplicated, reordered, due when), then a heap
 * by due time, then, for a reordered one, a wait until later frames have overtaken it. */
#include "path.h"

#include <stdlib.h>
#include <string.h>

/* splitmix64 (Steele, Lea, Flood 2014): one word of state, good enough for shares of packets. */
static uint64_t next_random(struct direction *dir)
{
    uint64_t z = dir->random += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* 0 <= x < 1 */
static double next_share(struct direction *dir)
{
    return (double)(next_random(dir) >> 11) * 0x1p-53;
}

void impair_init(struct direction *dir, uint64_t seed)
{
    /* A stream for each direction, so that traffic one way does not change fates the other way. */
    dir->random = seed * 2 + (dir->name[0] == 'b');
    next_random(dir);
}

/* ---- the heap ---- */

static bool before(const struct frame *a, const struct frame *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static bool heap_push(struct direction *dir, struct frame *frame)
{
    size_t at = dir->queued;

    if (dir->queued == dir->room) {
        size_t room = dir->room ? 2 * dir->room : 256;
        struct frame **heap = realloc(dir->heap, room * sizeof *heap);

        if (!heap)
            return false;
        dir->heap = heap;
        dir->room = room;
    }
    dir->queued++;
    for (; at && before(frame, dir->heap[(at - 1) / 2]); at = (at - 1) / 2)
        dir->heap[at] = dir->heap[(at - 1) / 2];
    dir->heap[at] = frame;
    return true;
}

static struct frame *heap_pop(struct direction *dir)
{
    struct frame *top = dir->heap[0], *last = dir->heap[--dir->queued];
    size_t at = 0;

    for (size_t child; (child = 2 * at + 1) < dir->queued; at = child) {
        if (child + 1 < dir->queued && before(dir->heap[child + 1], dir->heap[child]))
            child++;
        if (!before(dir->heap[child], last))
            break;
        dir->heap[at] = dir->heap[child];
    }
    dir->heap[at] = last;
    return top;
}

/* ---- fate ---- */

/* Whether the path's own talk, which is not impaired, since a lost ARP reply would hold up a second
 * of everything and is not what was asked. */
static bool is_control(const uint8_t *bytes, size_t length)
{
    unsigned type = length >= 14 ? (unsigned)bytes[12] << 8 | bytes[13] : 0;

    if (type == 0x0800)
        return false;
    if (type != 0x86dd)
        return true;
    if (length < 14 + 40 + 1)
        return false;
    if (bytes[14 + 24] == 0xff && bytes[14 + 25] == 0x02) /* ff02::/16 */
        return true;
    /* RFC 4861: router and neighbour solicitation, advertisement, redirect */
    return bytes[14 + 6] == 58 && bytes[14 + 40] >= 133 && bytes[14 + 40] <= 137;
}

static int64_t due(struct direction *dir, int64_t arrived)
{
    double spread = 2 * next_share(dir) - 1;
    int64_t delay = dir->how.delay_ns + (int64_t)(spread * (double)dir->how.jitter_ns);
    int64_t at = arrived + (delay > 0 ? delay : 0);

    /* Jitter alone keeps the order: a frame that would come too early waits for the one before. */
    if (!dir->how.jitter_reorders && at < dir->last_due)
        at = dir->last_due;
    dir->last_due = at;
    return at;
}

static struct frame *new_frame(struct direction *dir, const uint8_t *bytes, size_t length)
{
    struct frame *frame = malloc(sizeof *frame + length);

    if (frame) {
        *frame = (struct frame){.order = dir->order++, .copies = 1, .length = length};
        memcpy(frame->bytes, bytes, length);
    }
    return frame;
}

void impair_take(struct direction *dir, const uint8_t *bytes, size_t length, int64_t arrived)
{
    bool lost, dup, reorder;
    unsigned wanted;
    struct frame *frame;

    if (is_control(bytes, length)) {
        dir->counts.control++;
        frame = new_frame(dir, bytes, length);
        if (frame) {
            frame->control = true;
            wire_put(dir, frame);
        }
        return;
    }
    /* All are drawn for every frame, so that asking for one thing does not change another. */
    lost = next_share(dir) < dir->how.loss;
    dup = next_share(dir) < dir->how.dup;
    reorder = next_share(dir) < dir->how.reorder;
    wanted = 1 + (unsigned)(next_share(dir) * dir->how.gap);
    dir->counts.in++;
    if (lost) {
        dir->counts.lost++;
        return;
    }
    frame = dir->queued + dir->holding < dir->how.limit ? new_frame(dir, bytes, length) : NULL;
    if (!frame) {
        dir->counts.overflow++;
        return;
    }
    frame->arrived = arrived;
    frame->due = due(dir, arrived);
    frame->copies = dup ? 2 : 1;
    frame->wanted = reorder ? wanted : 0;
    if (!heap_push(dir, frame)) {
        dir->counts.overflow++;
        free(frame);
        return;
    }
    dir->counts.duplicated += dup;
    dir->counts.reordered += reorder;
}

/* ---- release ---- */

static void send_frame(struct direction *dir, struct frame *frame)
{
    /* Only what came later overtakes. */
    for (size_t i = 0; i < dir->holding; i++)
        dir->held[i]->overtaken += frame->order > dir->held[i]->order;
    wire_put(dir, frame);
}

static void let_go(struct direction *dir, size_t index)
{
    struct frame *frame = dir->held[index];

    dir->holding--;
    memmove(&dir->held[index], &dir->held[index + 1], (dir->holding - index) * sizeof dir->held[0]);
    dir->counts.overtaken += frame->overtaken > 0;
    send_frame(dir, frame);
}

/* Lets go those that have been overtaken often enough or have waited too long. */
static void release_held(struct direction *dir, int64_t now)
{
    for (size_t i = 0; i < dir->holding;) {
        const struct frame *frame = dir->held[i];

        if (frame->overtaken >= frame->wanted || frame->due + dir->how.hold_ns <= now) {
            let_go(dir, i);
            i = 0; /* it may have overtaken others */
        } else {
            i++;
        }
    }
}

void impair_release(struct direction *dir, int64_t now)
{
    while (dir->queued && dir->heap[0]->due <= now) {
        struct frame *frame = heap_pop(dir);

        if (!frame->wanted) {
            send_frame(dir, frame);
        } else {
            if (dir->holding == PATH_HELD_MAX)
                let_go(dir, 0);
            dir->held[dir->holding++] = frame;
        }
        release_held(dir, now);
    }
    release_held(dir, now);
    wire_flush(dir);
}

int64_t impair_next(const struct direction *dir)
{
    int64_t next = dir->queued ? dir->heap[0]->due : PATH_NEVER;

    for (size_t i = 0; i < dir->holding; i++)
        if (dir->held[i]->due + dir->how.hold_ns < next)
            next = dir->held[i]->due + dir->how.hold_ns;
    return next;
}

size_t impair_queued(const struct direction *dir)
{
    size_t frames = 0;

    for (size_t i = 0; i < dir->queued; i++)
        frames += dir->heap[i]->copies;
    for (size_t i = 0; i < dir->holding; i++)
        frames += dir->held[i]->copies;
    return frames;
}
